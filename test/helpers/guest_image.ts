/** Images of disks that other programs write, and reading them. Needs the permissions of helpers/peers.ts. */
import { pickIo } from "../../cli/io/mod.ts";
import type { Source } from "../../core-as/host/mod.ts";
import { run, withTempDir } from "./peers.ts";

const io = pickIo();

/** Makes an empty disk and gives its path to `fn`. */
export function withImage<T>(sizeBytes: number, fn: (image: string) => T | Promise<T>): Promise<T> {
  return withTempDir((folder) => {
    const image = `${folder}/disk.img`;
    Deno.writeFileSync(image, new Uint8Array(0));
    Deno.truncateSync(image, sizeBytes);
    return fn(image);
  });
}

/** Opens an image for as long as `fn` takes. */
export function opened<T>(image: string, fn: (source: Source) => Promise<T>): Promise<T> {
  const source = io.openSource(image);
  return fn(source).finally(() => source.close());
}

/** Runs a program with words on its standard input. */
export function feed(words: string, command: string, args: readonly string[]): string {
  return run("sh", ["-c", 'words=$1; shift; printf "%s" "$words" | "$@"', "sh", words, command, ...args]);
}
