/** A temporary file for the parts of a stream that cannot be dealt with when they come by. */
import { RegrainError } from "../../core-as/host/errors.ts";
import type { Scratch } from "../../core-as/host/forward/mod.ts";
import { joinPath } from "../../core-as/host/names.ts";
import { formatSize } from "../../core-as/host/units.ts";
import { isForbidden } from "../deno_errors.ts";
import { translated } from "../io/translate.ts";

export interface SpillOptions {
  /** Folder of the file, or `undefined` when there must be none. */
  readonly folder: string | undefined;
  /** Most bytes that are kept. */
  readonly limitBytes: number;
  /** Called once, when the file is made. */
  readonly onCreate: (folder: string) => void;
}

/** Made at the first byte. Its name is removed at once, so that nothing stays behind however the program ends. */
export class Spill implements Scratch {
  /** Bytes kept. */
  sizeBytes = 0;
  private file: Deno.FsFile | undefined;

  constructor(private readonly options: SpillOptions) {}

  append(bytes: Uint8Array): void {
    const { limitBytes, folder } = this.options;
    const file = this.file ??= this.create();
    if (this.sizeBytes + bytes.length > limitBytes) {
      throw new RegrainError(
        "NO_SPACE",
        `more than ${formatSize(limitBytes)} of the stream have to be kept for later`,
        {
          path: folder!,
          hint: "--spill-limit SIZE allows more; or copy the file here and apply it by its name",
        },
      );
    }
    this.guard(() => {
      file.seekSync(this.sizeBytes, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    }, folder!);
    this.sizeBytes += bytes.length;
  }

  read(offsetBytes: number, into: Uint8Array): void {
    const file = this.file;
    if (!file || offsetBytes + into.length > this.sizeBytes) throw new Error("that was never kept");
    this.guard(() => {
      file.seekSync(offsetBytes, Deno.SeekMode.Start);
      for (let at = 0; at < into.length;) {
        const got = file.readSync(into.subarray(at));
        if (got === null) throw new Error("the temporary file became shorter");
        at += got;
      }
    }, this.options.folder!);
  }

  close(): void {
    this.file?.close();
    this.file = undefined;
  }

  private create(): Deno.FsFile {
    const { folder, onCreate } = this.options;
    if (folder === undefined) {
      throw new RegrainError(
        "UNSUPPORTED",
        "a part of the stream has to be kept until its turn comes, and --no-spill keeps nothing",
        { path: "stdin", hint: "leave out --no-spill; or copy the file here and apply it by its name" },
      );
    }
    return this.guard(() => {
      const path = joinPath(folder, `regrain-spill-${crypto.randomUUID().slice(0, 8)}`);
      const file = Deno.openSync(path, { read: true, write: true, createNew: true, mode: 0o600 });
      onCreate(folder);
      Deno.removeSync(path);
      return file;
    }, folder);
  }

  private guard<T>(work: () => T, folder: string): T {
    try {
      return work();
    } catch (cause) {
      throw spillError(cause, folder);
    }
  }
}

function spillError(cause: unknown, path: string): unknown {
  const error = translated({ operation: "spill", path }, cause);
  if (!(error instanceof RegrainError) || error === cause) return error;
  return error.withHint(
    isForbidden(cause)
      ? `grant --allow-read=${path} --allow-write=${path}, or --spill DIR`
      : "--spill DIR names another folder",
  );
}
