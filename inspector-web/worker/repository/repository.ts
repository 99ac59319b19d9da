/** A backup repository as the page shows it: which snapshots there are, and what is known to be damaged. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import {
  type Codec,
  DESCRIPTION_KEY,
  MAX_DESCRIPTION_BYTES,
  type ObjectReader,
  parseContentStem,
  parseDescription,
  RepositoryReader,
  type Snapshot,
  type SnapshotName,
  ulidTimeMs,
} from "../../../core-as/host/repo/mod.ts";
import type { RepositoryFacts, SnapshotFacts } from "../../shared/protocol.ts";

/** Manifests that are read at once: each is a small object, and most of the time is waiting. */
const AT_ONCE = 8;
const MARKS = "damaged/";

/** A manifest, or why there is none to be had. */
interface Listed {
  readonly name: SnapshotName;
  readonly snapshot: Snapshot | undefined;
  readonly damage: RegrainError | undefined;
}

export class OpenRepository {
  private constructor(
    readonly reader: RepositoryReader,
    private readonly listed: readonly Listed[],
    /** Chunks that a verification found damaged, as `<id>[.<generation>]`. */
    readonly marked: ReadonlySet<string>,
  ) {}

  /**
   * Opens a repository and reads every manifest in it.
   *
   * @throws {RegrainError} `REPO_MISSING`, `REPO_UNSUPPORTED`, `REPO_KEY` for an encrypted one, and what reading may.
   */
  static async open(objects: ObjectReader, loadCodec: () => Promise<Codec>): Promise<OpenRepository> {
    const path = `${objects.label}/${DESCRIPTION_KEY}`;
    const bytes = await objects.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
    if (bytes === undefined) {
      throw new RegrainError("REPO_MISSING", "there is no repository here: repo.json is not there", {
        path: objects.label,
        hint: "open the folder that repo.json lies in",
      });
    }
    const description = parseDescription(bytes, path);
    if (description.encryption !== "none") {
      throw new RegrainError("REPO_KEY", "the repository is encrypted, and this page takes no passphrase", {
        path: objects.label,
        hint: "restore a snapshot with regrain restore, and look at the image",
      });
    }
    const reader = new RepositoryReader(objects, description, { codec: await loadCodec(), keys: undefined });
    const listed = await readAll(reader);
    return new OpenRepository(reader, listed, await readMarked(objects));
  }

  get facts(): RepositoryFacts {
    const { description: { id, chunkBytes }, store: { label } } = this.reader;
    return { label, id, chunkBytes, snapshots: this.listed.map((each) => this.factsOf(each)).reverse() };
  }

  /** @throws {RegrainError} `SNAPSHOT_MISSING`, or what is wrong with its manifest. */
  snapshot(id: string): Snapshot {
    const found = this.listed.find(({ name }) => name.id === id);
    if (found?.snapshot) return found.snapshot;
    throw found?.damage ?? new RegrainError("SNAPSHOT_MISSING", `there is no snapshot ${id}`, {
      path: this.reader.store.label,
    });
  }

  factsOfSnapshot(id: string): SnapshotFacts {
    this.snapshot(id);
    return this.factsOf(this.listed.find(({ name }) => name.id === id)!);
  }

  private factsOf(listed: Listed): SnapshotFacts {
    const { name: { id, source }, snapshot, damage } = listed;
    return {
      id,
      name: snapshot?.source.name ?? source,
      createdMs: snapshot ? Date.parse(snapshot.created) : ulidTimeMs(id),
      damage: damage?.message,
      sizeBytes: snapshot?.sizeBytes ?? 0,
      chunks: snapshot?.stats.chunks ?? 0,
      newChunks: snapshot?.stats.newChunks ?? 0,
      storedBytes: snapshot?.stats.storedBytes ?? 0,
      method: snapshot?.change.method ?? "",
      host: snapshot?.host ?? "",
      tags: snapshot?.tags ?? [],
      against: snapshot && this.before(snapshot)?.id,
    };
  }

  /** What a snapshot was made against, where it is still there, else the one of its disk before it. */
  private before(snapshot: Snapshot): Snapshot | undefined {
    const usable = this.listed.flatMap((each) => each.snapshot ?? []);
    return usable.find(({ id }) => id === snapshot.parent) ??
      usable.findLast(({ id, source }) => id < snapshot.id && source.key === snapshot.source.key);
  }
}

/** Every manifest, oldest first. One that is damaged does not hide the others. */
async function readAll(reader: RepositoryReader): Promise<Listed[]> {
  const names = await reader.listSnapshots();
  const listed: Listed[] = [];
  for (let at = 0; at < names.length; at += AT_ONCE) {
    listed.push(...await Promise.all(names.slice(at, at + AT_ONCE).map((name) => readOne(reader, name))));
  }
  // One that was removed since it was listed is gone for good.
  return listed.filter(({ snapshot, damage }) => snapshot !== undefined || damage !== undefined);
}

async function readOne(reader: RepositoryReader, name: SnapshotName): Promise<Listed> {
  try {
    return { name, snapshot: await reader.readSnapshot(name), damage: undefined };
  } catch (damage) {
    if (!(damage instanceof RegrainError) || damage.code.startsWith("STORE_")) throw damage;
    return { name, snapshot: undefined, damage };
  }
}

async function readMarked(objects: ObjectReader): Promise<Set<string>> {
  const marked = new Set<string>();
  for await (const { key } of objects.list(MARKS)) {
    const stem = key.slice(MARKS.length).replace(/\.json$/, "");
    if (parseContentStem(stem) !== undefined) marked.add(stem);
  }
  return marked;
}
