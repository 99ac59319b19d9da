/**
 * The parent of a qcow2 image: a plain file by its name, in the format that the header names.
 *
 * The header may come from somebody hostile: a name with a scheme is an instruction to qemu (`json:`, `nbd:`), not a
 * file, and the first bytes of a raw disk are its guest's, so they never say what it is.
 *
 * This module is browser compatible.
 */
import { quotePath } from "../../command_line.ts";
import { RegrainError } from "../../errors.ts";
import type { ImageFormat } from "../image_format.ts";
import type { ParentHint } from "../parent_hint.ts";
import type { Qcow2Header } from "./header.ts";

/** Formats by the names that qemu gives them. */
const FORMATS: ReadonlyMap<string, ImageFormat> = new Map([
  ["raw", "raw"],
  ["qcow2", "qcow2"],
  ["vmdk", "vmdk"],
]);
/** As qemu tells them: a colon before the first slash. A letter and a colon is a drive of Windows. */
const SCHEME = /^[^/\\]*:/;
const DRIVE = /^[A-Za-z]:[\\/]/;

/**
 * What the header names as the parent, if it does.
 *
 * @throws {RegrainError} `UNSUPPORTED` for a name with a scheme, and for formats that are not read.
 */
export function backingHint(path: string, { backing }: Qcow2Header): ParentHint | undefined {
  if (backing === undefined) return undefined;
  const { name, at: offsetBytes } = backing;
  if (SCHEME.test(name) && !DRIVE.test(name)) {
    const scheme = name.slice(0, name.indexOf(":") + 1);
    throw new RegrainError(
      "UNSUPPORTED",
      `its backing file ${JSON.stringify(name)} is no plain file (${scheme})`,
      {
        path,
        offsetBytes,
        hint: `copy what it means here, and let a copy of this image name that: ${
          rebase(path, "FILE", "FORMAT")
        }`,
      },
    );
  }
  const format = FORMATS.get(backing.format ?? "raw");
  if (format !== undefined) return { name, wanted: {}, by: { format, isSaid: backing.format !== undefined } };
  throw new RegrainError(
    "UNSUPPORTED",
    `its backing file ${JSON.stringify(name)} is of format ${backing.format}`,
    {
      path,
      offsetBytes,
      hint: `raw, qcow2 and vmdk are read; convert it, and let a copy of this image name that: ` +
        rebase(path, "FILE", "FORMAT"),
    },
  );
}

/** Said where the header does not say what its backing file is: `undefined` where it does. */
export function unsaidFormat(path: string, { backing }: Qcow2Header): string | undefined {
  if (backing === undefined || backing.format !== undefined) return undefined;
  return `the header names no format for its backing file ${
    JSON.stringify(backing.name)
  }: that is read as raw, ` +
    `whatever it begins with (if it is something else, on a copy of this image: ` +
    `${rebase(path, backing.name, "FORMAT")})`;
}

function rebase(path: string, name: string, format: string): string {
  return `qemu-img rebase -u -f qcow2 -F ${format} -b ${quotePath(name)} ${quotePath(path)}`;
}
