/** A repository that can be written: made, opened, and given content and manifests. */
import { RegrainError } from "../../core-as/host/errors.ts";
import {
  authenticatedText,
  type ConditionalPut,
  contentKey,
  type ContentKind,
  DEFAULT_CHUNK_BYTES,
  DESCRIPTION_KEY,
  descriptionBytes,
  MASTER_KEY_BYTES,
  MAX_DESCRIPTION_BYTES,
  type ObjectStore,
  parseDescription,
  type RepositoryDescription,
  RepositoryKeys,
  RepositoryReader,
  sha256Hex,
  slugOf,
  ulid,
  ulidTimeMs,
} from "../../core-as/host/repo/mod.ts";
import { DEFAULT_LEVEL, nativeCodec } from "./codec.ts";
import type { LaneSetup } from "./lanes.ts";
import { README_KEY, readmeText } from "./readme.ts";
import { pointToRepair, putDescriptionCopy } from "./second_copies.ts";

/** What the code asks of the world besides the store; tests hand in their own. */
export interface World {
  nowMs(): number;
  random(bytes: number): Uint8Array<ArrayBuffer>;
  sleep(ms: number): Promise<void>;
  /** Name and version of the program, and of the host, as manifests tell them. */
  readonly tool: string;
  readonly host: string;
}

/** What a repository is opened with. */
export interface OpenOptions {
  readonly world: World;
  /** The repository's key, where it is encrypted. */
  readonly master?: Uint8Array<ArrayBuffer> | undefined;
  /** zstd level, 1 to 19. */
  readonly level?: number;
}

export class Repository extends RepositoryReader {
  readonly laneSetup: LaneSetup;

  private constructor(
    override readonly store: ObjectStore,
    description: RepositoryDescription,
    readonly world: World,
    opened: { keys: RepositoryKeys | undefined; master: Uint8Array<ArrayBuffer> | undefined; level: number },
  ) {
    super(store, description, { codec: nativeCodec(opened.level), keys: opened.keys });
    this.laneSetup = { repository: description.id, master: opened.master, level: opened.level };
  }

  /**
   * Makes a repository.
   *
   * @throws {RegrainError} `REPO_EXISTS`.
   */
  static async create(
    store: ObjectStore,
    choices: { chunkBytes?: number; conditionalPut: ConditionalPut } & OpenOptions,
  ): Promise<Repository> {
    const { world, chunkBytes = DEFAULT_CHUNK_BYTES, conditionalPut, master } = choices;
    const plain: RepositoryDescription = {
      format: "regrain-repository",
      version: 1,
      id: ulid(world.nowMs(), world.random(10)),
      created: new Date(world.nowMs()).toISOString(),
      chunkBytes,
      hash: master === undefined ? "sha256" : "hmac-sha256",
      encryption: master === undefined ? "none" : "aes-256-gcm",
      conditionalPut,
      features: [],
    };
    const description = master === undefined ? plain : await authenticated(plain, master);
    await refuseOccupied(store);
    const bytes = descriptionBytes(description);
    if (await store.put(DESCRIPTION_KEY, bytes, { ifAbsent: true }) === "exists") throw await occupied(store);
    await putDescriptionCopy(store, description);
    await store.put(README_KEY, new TextEncoder().encode(readmeText(description)));
    return await Repository.of(store, description, choices);
  }

  /**
   * Opens a repository. The key of an encrypted one is asked for when its description is known.
   *
   * @throws {RegrainError} `REPO_MISSING`, `REPO_UNSUPPORTED`, and what `unlock` throws.
   */
  static async open(
    store: ObjectStore,
    options: Omit<OpenOptions, "master"> & {
      readonly unlock: (description: RepositoryDescription) => Promise<Uint8Array<ArrayBuffer>>;
      /** Looks at the description before the key is asked for, and throws where it is not to be believed. */
      readonly admit?: (description: RepositoryDescription) => Promise<void>;
    },
  ): Promise<Repository> {
    const bytes = await store.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
    const description = readDescription(store, bytes);
    await options.admit?.(description);
    const master = description.encryption === "none" ? undefined : await options.unlock(description);
    return await Repository.of(store, description, { ...options, master });
  }

  private static async of(
    store: ObjectStore,
    description: RepositoryDescription,
    options: OpenOptions,
  ): Promise<Repository> {
    const { world, master, level = DEFAULT_LEVEL } = options;
    const keys = master === undefined ? undefined : await RepositoryKeys.derive(master, description.id);
    return new Repository(store, description, world, { keys, master, level });
  }

  /** How many keys the repository has had; 0 where it is not encrypted. */
  get keyCount(): number {
    return (this.laneSetup.master?.length ?? 0) / MASTER_KEY_BYTES;
  }

  /** What the MAC says of the description; `absent` where an older version, or somebody else, wrote it without. */
  async descriptionTrust(): Promise<"confirmed" | "absent" | "wrong"> {
    const { mac } = this.description;
    if (mac === undefined) return "absent";
    const { keys } = this.means;
    return keys !== undefined && await macOf(this.description, keys) === mac ? "confirmed" : "wrong";
  }

  /**
   * A new ULID: by the clock of this machine, and later than another one in any case. Ids are the order in which
   * snapshots of a disk were made; a clock that was ahead once must not put what comes after it before it.
   */
  newId(after?: string): string {
    const earliestMs = after === undefined ? 0 : ulidTimeMs(after) + 1;
    return ulid(Math.max(this.world.nowMs(), earliestMs), this.world.random(10));
  }

  /**
   * The part of the key that stands for a source: readable in a plain repository, so that a person finds it; in an
   * encrypted one nobody can tell the name from it.
   */
  async sourceKey(name: string): Promise<string> {
    const { keys } = this.means;
    const secret = keys === undefined ? "" : `${[...keys.idKey].join()}\n`;
    const sum = await sha256Hex(new TextEncoder().encode(`${secret}${name}`));
    return keys === undefined ? `${slugOf(name)}-${sum.slice(0, 8)}` : sum.slice(0, 32);
  }

  /** Stores bytes under a content's name as they are: packed, and encrypted if need be. */
  keyOf(kind: ContentKind, name: { id: string; generation: number }): string {
    return contentKey({ kind, ...name }, this.suffix);
  }

  close(): void {
    this.store.close();
  }
}

/**
 * What `repo.json` says.
 *
 * @throws {RegrainError} `REPO_MISSING`, `REPO_UNSUPPORTED`; both name the way back.
 */
export function readDescription(
  { label }: ObjectStore,
  bytes: Uint8Array | undefined,
): RepositoryDescription {
  if (bytes === undefined) {
    throw new RegrainError("REPO_MISSING", "there is no repository here: repo.json is not there", {
      path: label,
      hint:
        "regrain repo init makes one; where repo.json was lost, regrain repo repair puts it back from its copy, " +
        "or regrain repo key import FILE from a file",
    });
  }
  try {
    return parseDescription(bytes, `${label}/${DESCRIPTION_KEY}`);
  } catch (error) {
    throw error instanceof RegrainError ? pointToRepair(error) : error;
  }
}

const MAC_PURPOSE = "description";

function macOf(description: RepositoryDescription, keys: RepositoryKeys): Promise<string> {
  return keys.mac(MAC_PURPOSE, authenticatedText(description));
}

/** The description with its MAC under the repository's key. */
export async function authenticated(
  description: RepositoryDescription,
  master: Uint8Array<ArrayBuffer>,
): Promise<RepositoryDescription> {
  const keys = await RepositoryKeys.derive(master, description.id);
  return { ...description, mac: await macOf(description, keys) };
}

/** @throws {RegrainError} `REPO_EXISTS` where there is a repository, or anything else. */
export async function refuseOccupied(store: ObjectStore): Promise<void> {
  // What the probe of the store wrote stays where the credentials cannot remove it.
  for await (const { key } of store.list("")) if (!key.startsWith("probe/")) throw await occupied(store);
}

async function occupied(store: ObjectStore): Promise<RegrainError> {
  const path = store.label;
  if (await store.head(DESCRIPTION_KEY) !== undefined) {
    return new RegrainError("REPO_EXISTS", "there is a repository already", {
      path,
      hint:
        "regrain repo info shows it, and regrain backup stores into it; another repository needs another place",
    });
  }
  for (const prefix of ["copies/", "snaps/", "keys/"]) {
    for await (const _ of store.list(prefix)) {
      return new RegrainError("REPO_EXISTS", "there is a repository already, without its repo.json", {
        path,
        hint: "regrain repo repair puts it back from its copy, regrain repo key import FILE from an export",
      });
    }
  }
  return new RegrainError(
    "REPO_EXISTS",
    "there is something already, and a repository is made in an empty place",
    { path, hint: "name an empty folder or a new one, or another prefix of the bucket" },
  );
}
