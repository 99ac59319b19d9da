/** A folder with a repository and a disk, for tests of the commands on backups as a user runs them. */
import { type CallOptions, regrain, regrainExits } from "../helpers/cli.ts";
import { type Ran, withTempDir } from "../helpers/peers.ts";

export const MIB = 1024 * 1024;
/** The least that a repository takes, so that small disks have many chunks. */
export const CHUNK_BYTES = MIB;

export interface Place {
  readonly folder: string;
  readonly repo: string;
  /** `folder/name`. */
  path(name: string): string;
  /** Runs a command on the repository, and asserts its exit status, 0 by default. */
  run(args: readonly string[], options?: CallOptions & { exit?: number }): Ran;
  /** Runs a command on the repository that must fail, and returns the error as `--json` tells it. */
  refused(code: string, args: readonly string[]): { message: string; hint?: string; path?: string };
}

/** Makes a folder with an empty repository of chunks of 1 MiB, and removes it whatever happens. */
export function withPlace(fn: (place: Place) => void | Promise<void>): Promise<void> {
  return withTempDir(async (folder) => {
    const repo = `${folder}/repo`;
    const place: Place = {
      folder,
      repo,
      path: (name) => `${folder}/${name}`,
      run: (args, { exit = 0, ...options } = {}) => regrainExits(exit, [...args, "--repo", repo], options),
      refused(code, args) {
        const { stderr } = regrain([...args, "--repo", repo, "--json"]);
        const error = JSON.parse(stderr.trim().split("\n").at(-1)!);
        if (error.code !== code) throw new Error(`${code} was due: ${stderr}`);
        return error;
      },
    };
    place.run(["repo", "init", "--chunk-size", "1M"]);
    await fn(place);
  });
}

/** Bytes that do not repeat, and that no compression makes smaller; the same for the same seed. */
export function noise(lengthBytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(lengthBytes / 4);
  let state = seed * 2654435761 >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ state << 5) >>> 0;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}

/** A disk of `sizeBytes` that holds noise at some places, and zeros else. */
export function diskOf(
  sizeBytes: number,
  stretches: readonly { at: number; lengthBytes: number; seed: number }[],
): Uint8Array<ArrayBuffer> {
  const disk = new Uint8Array(sizeBytes);
  for (const { at, lengthBytes, seed } of stretches) disk.set(noise(lengthBytes, seed), at);
  return disk;
}

/** The last line that a command wrote to stdout, as JSON. */
export function summaryOf({ stdout }: Ran): Record<string, unknown> & { stats: Record<string, number> } {
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}
