/**
 * What opening disks needs and that does not change from file to file.
 *
 * This module is browser compatible.
 */
import type { Files } from "./files.ts";
import type { ImageFormat } from "./formats/image_format.ts";
import type { Inflater, Unpackers } from "./inflate.ts";
import type { SearchOptions } from "./names.ts";
import type { Core } from "./wasm.ts";

export interface Context {
  readonly core: Core;
  readonly files: Files;
  readonly names: SearchOptions;
  readonly inflate: Inflater;
  /** What unpacks other streams than zlib's. */
  readonly unpackers: Unpackers;
  readonly ignoreJournal: boolean;
  /** What the user says that the images are which are named as disks; `undefined`: their names decide. */
  readonly format: ImageFormat | undefined;
  /** Told in one sentence what was taken in one of two ways. The same sentence may come again. */
  warn(sentence: string): void;
}
