/** A repository in a folder, as the program makes and uses it, and the objects in it as files to tamper with. */
import assert from "node:assert/strict";
import { Rng } from "../../fixtures/mod.ts";
import { assertFileHolds, sha256 } from "../helpers/bytes.ts";
import { type CallOptions, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import type { Ran } from "../helpers/peers.ts";

export const MIB = 1024 * 1024;
/** Chunks of the test repositories. */
export const CHUNK = MIB;
export const DISK = "web01/disk-0";

/** A line of NDJSON. */
export type Line = Record<string, unknown> & { readonly type: string };

/**
 * A disk of so many chunks, with a tail of half a chunk. Each letter is a chunk: `.` zeros, any other one content of
 * its own, the same wherever it stands.
 */
export function diskOf(chunks: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.length * CHUNK - CHUNK / 2);
  [...chunks].forEach((letter, i) => {
    if (letter === ".") return;
    const last = i === chunks.length - 1;
    bytes.set(chunkOf(letter).subarray(0, last ? CHUNK / 2 : CHUNK), i * CHUNK);
  });
  return bytes;
}

/** Half of it cannot be packed. */
function chunkOf(letter: string): Uint8Array {
  const chunk = new Uint8Array(CHUNK).fill(letter.codePointAt(0)!);
  chunk.set(new Rng(letter.codePointAt(0)!).bytes(CHUNK / 2));
  return chunk;
}

export class RepositoryFolder {
  /** @param folder Of its own, to be removed by the caller. */
  constructor(readonly folder: string, readonly name = "repo", private readonly options: CallOptions = {}) {}

  get path(): string {
    return `${this.folder}/${this.name}`;
  }

  /** Makes the repository. */
  static create(
    folder: string,
    name = "repo",
    options: CallOptions & { flags?: readonly string[] } = {},
  ): RepositoryFolder {
    const repository = new RepositoryFolder(folder, name, options);
    repository.run(["repo", "init", ...options.flags ?? ["--chunk-size", "1M"]]);
    return repository;
  }

  /** Runs a command on the repository and asserts its exit status. */
  run(args: readonly string[], code = 0): Ran {
    return regrainExits(code, [...args, "--repo", this.path], this.options);
  }

  /** Runs a command with `--json`; its lines, of which the last is the summary. */
  json(args: readonly string[], code = 0): Line[] {
    const { stdout } = this.run([...args, "--json"], code);
    return stdout.trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  }

  refuses(expected: { code: string; exit: number }, args: readonly string[]) {
    return regrainRefuses(expected, [...args, "--repo", this.path], this.options);
  }

  /** Backs a disk up; the id of the snapshot. */
  backUp(chunks: string, flags: readonly string[] = [], name = DISK): string {
    const image = `${this.folder}/image`;
    Deno.writeFileSync(image, diskOf(chunks));
    return this.json(["backup", image, "--name", name, "--progress", "none", ...flags]).at(-1)!.id as string;
  }

  /** Restores a snapshot, by its id, to a new file and asserts what is in it. */
  assertHolds(id: string, chunks: string, disk = DISK): void {
    const target = `${this.folder}/restored`;
    this.run(["restore", `${disk}@${id}`, target, "--progress", "none"]);
    assertFileHolds(target, diskOf(chunks));
    Deno.removeSync(target);
  }

  /** Asserts that a snapshot is not restored, and that nothing appears under the target's name. */
  assertNotRestored(expected: { code: string; exit: number }, snapshot = DISK): void {
    const target = `${this.folder}/restored`;
    this.refuses(expected, ["restore", snapshot, target, "--progress", "none"]);
    assert.throws(() => Deno.statSync(target), Deno.errors.NotFound);
  }

  /** Keys below a prefix, sorted. */
  keys(prefix = ""): string[] {
    return [...filesBelow(this.path, "")].filter((key) => key.startsWith(prefix)).sort();
  }

  read(key: string): Uint8Array<ArrayBuffer> {
    return Deno.readFileSync(`${this.path}/${key}`);
  }

  write(key: string, bytes: Uint8Array | string): void {
    const path = `${this.path}/${key}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeFileSync(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  remove(key: string): void {
    Deno.removeSync(`${this.path}/${key}`);
  }

  /** Flips a bit in the middle of an object. */
  flip(key: string): void {
    const bytes = this.read(key);
    bytes[bytes.length >> 1]! ^= 4;
    this.write(key, bytes);
  }

  /** The same repository in another folder, to be spoiled. */
  copyTo(name: string): RepositoryFolder {
    const copy = new RepositoryFolder(this.folder, name, this.options);
    for (const key of this.keys()) copy.write(key, this.read(key));
    return copy;
  }
}

/** The manifest with a sum that fits, as somebody would make it who wants to deceive. */
export function resigned(text: string): Uint8Array {
  const [, body] = /^\{"snapshot":(.*),"sha256":"[0-9a-f]{64}"\}\n$/s.exec(text)!;
  return new TextEncoder().encode(
    `{"snapshot":${body},"sha256":"${sha256(new TextEncoder().encode(body!))}"}\n`,
  );
}

function* filesBelow(root: string, prefix: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${root}/${prefix}`)) {
    if (prefix === "" && name === "tmp") continue;
    if (isDirectory) yield* filesBelow(root, `${prefix}${name}/`);
    else yield prefix + name;
  }
}
