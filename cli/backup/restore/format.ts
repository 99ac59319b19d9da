/** The formats that a restore writes, and which of them a name says. */
import { formatByName, RegrainError } from "../../../core-as/host/mod.ts";

/** `vmdk` is said of a target that is there: it is written through its descriptor. */
export type RestoreFormat = "raw" | "vmdk" | "vmdk-flat" | "vmdk-sparse" | "stream" | "qcow2";

/** Names that say what a file is; what writes it is `undefined` where the name says too little, or nothing does. */
const NAMED: readonly {
  readonly name: RegExp;
  readonly format: RestoreFormat | undefined;
  readonly hint: string;
}[] = [
  { name: /(-flat|-f\d{3})\.vmdk$/i, format: "raw", hint: "" },
  {
    name: /\.vmdk$/i,
    format: undefined,
    hint:
      "--format vmdk-flat writes a descriptor with this name and the disk beside it; vmdk-sparse and stream write " +
      "one file, by qemu-img",
  },
  { name: /\.qcow2?$/i, format: "qcow2", hint: "" },
  {
    name: /\.(vhdx?|vdi|vhds|ova|ovf|gz|zst|xz|bz2|zip)$/i,
    format: undefined,
    hint: "name it otherwise, and convert the raw disk then",
  },
];

/**
 * The format of a new file: the one that is given, else that of its name. Of a target that is changed in place: what it
 * is said to be, where its name says that it is a VMDK.
 *
 * @throws {RegrainError} `USAGE` when the name says another format than raw, and not which one exactly.
 */
export function formatOf(
  path: string,
  given: RestoreFormat | undefined,
  { isInPlace }: { isInPlace: boolean },
): RestoreFormat {
  if (given === "vmdk" && !isInPlace) {
    throw new RegrainError(
      "USAGE",
      "--format vmdk says what a TARGET is that is there, and a new file is made",
      {
        path,
        hint:
          "--format vmdk-flat makes a flat VMDK; --delta changes one that is there, by the name of its descriptor",
      },
    );
  }
  if (given !== undefined) return given;
  if (isInPlace && formatByName(path) === "vmdk") return "vmdk";
  const named = NAMED.find(({ name }) => name.test(path));
  if (named === undefined) return "raw";
  if (named.format !== undefined) return named.format;
  throw new RegrainError("USAGE", "the name is that of a format, and none is given", {
    path,
    hint:
      `${named.hint}; --format raw writes the bytes of the disk under it, and whoever goes by the name reads ` +
      "something else",
  });
}
