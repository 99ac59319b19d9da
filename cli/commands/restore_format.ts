/** The formats that `regrain restore` writes: raw and flat VMDK by itself, the others through qemu-img. */
import { plural, RegrainError, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { childCommand } from "../child.ts";
import type { Io } from "../io/mod.ts";

export type RestoreFormat = "raw" | "vmdk-flat" | "vmdk-sparse" | "stream" | "qcow2";

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
 * The format of a new file: the one that is given, else that of its name.
 *
 * @throws {RegrainError} `USAGE` when the name says another format than raw, and not which one exactly.
 */
export function formatOf(path: string, given: RestoreFormat | undefined): RestoreFormat {
  if (given !== undefined) return given;
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

/** What qemu-img is told for each format that is left to it. */
const CONVERSIONS: Partial<Record<RestoreFormat, readonly string[]>> = {
  "vmdk-sparse": ["-O", "vmdk", "-o", "subformat=monolithicSparse"],
  stream: ["-O", "vmdk", "-o", "subformat=streamOptimized"],
  qcow2: ["-O", "qcow2"],
};
const QEMU_IMG = "qemu-img";

/** What becomes of the raw disk when it is written. */
export interface Finish {
  /** Where the raw disk is written to. */
  readonly rawPath: string;
  /** Everything that is made, or replaced, beside what the raw disk is written to. */
  readonly made: readonly string[];
  /** Files with all the data that stand beside each other before the last step is done. */
  readonly copies: number;
  /** Makes the file that was asked for. */
  run(): void | Promise<void>;
}

/**
 * Says where the raw disk goes to, and what is made of it then.
 *
 * @throws {RegrainError} `UNSUPPORTED` when the format needs a program that is not here, `TARGET_UNSUITABLE`.
 */
export function planFormat(
  format: RestoreFormat,
  path: string,
  about: { snapshot: Snapshot; cid: string | undefined; io: Io; force: boolean },
): Finish {
  if (format === "raw") return { rawPath: path, made: [], copies: 1, run: () => undefined };
  const { io, force } = about;
  const status = io.stat(path);
  if (status !== undefined && (status.kind !== "file" || !force)) {
    const what = status.kind === "file" ? "the file exists already, and is not overwritten" : "is no file";
    throw new RegrainError("TARGET_UNSUITABLE", `${what}; a disk of format ${format} is a new file`, {
      path,
      hint: status.kind === "file"
        ? "--force puts a new file in its place"
        : "--format raw writes to a device",
    });
  }
  return format === "vmdk-flat" ? planFlat(path, about) : planConversion(format, path, io);
}

function planFlat(
  path: string,
  { snapshot, cid, io }: { snapshot: Snapshot; cid: string | undefined; io: Io },
): Finish {
  if (!path.endsWith(".vmdk")) {
    throw new RegrainError(
      "USAGE",
      "--format vmdk-flat writes two files, and the name given is the descriptor's",
      {
        path,
        hint: "a name that ends in .vmdk; the data goes to the same name with -flat.vmdk",
      },
    );
  }
  if (snapshot.sizeBytes % SECTOR_SIZE !== 0) {
    throw new RegrainError("UNSUPPORTED", "the disk ends inside a sector, which a VMDK cannot", {
      path,
      hint: "--format raw",
    });
  }
  const rawPath = path.replace(/\.vmdk$/, "-flat.vmdk");
  const flatName = rawPath.slice(rawPath.lastIndexOf("/") + 1);
  const text = flatDescriptor({ sizeBytes: snapshot.sizeBytes, cid, flatName });
  return {
    rawPath,
    made: [path],
    copies: 1,
    run: () => io.replaceFile(path, new TextEncoder().encode(text)),
  };
}

/** BIOS geometry as VMware writes it: 255 heads, 63 sectors a track. */
const HEADS = 255;
const TRACK_SECTORS = 63;

/** A descriptor as ESX writes it; with the CID the disk had, so that the deltas made on it still fit. */
export function flatDescriptor(
  disk: { sizeBytes: number; cid: string | undefined; flatName: string },
): string {
  const sectors = disk.sizeBytes / SECTOR_SIZE;
  return `# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=${disk.cid ?? "fffffffe"}
parentCID=ffffffff
createType="vmfs"

# Extent description
RW ${sectors} VMFS "${disk.flatName}"

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "8"
ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "${Math.floor(sectors / (HEADS * TRACK_SECTORS))}"
ddb.geometry.heads = "${HEADS}"
ddb.geometry.sectors = "${TRACK_SECTORS}"
`;
}

/**
 * The raw disk is written beside the target, converted, and removed; sparse, it takes as much space as there is data.
 */
function planConversion(format: RestoreFormat, path: string, io: Io): Finish {
  requireQemu(format);
  const rawPath = `${path}.raw`;
  if (io.stat(rawPath) !== undefined) {
    throw new RegrainError(
      "TARGET_UNSUITABLE",
      "stands where the raw disk is written before it is converted",
      {
        path: rawPath,
        hint: "remove it",
      },
    );
  }
  return {
    rawPath,
    made: [path],
    copies: 2,
    async run() {
      const made = `${path}.part`;
      try {
        await runQemu(["convert", "-f", "raw", ...CONVERSIONS[format]!, rawPath, made], path);
        Deno.renameSync(made, path);
      } finally {
        io.removeFile(made);
        io.removeFile(rawPath);
      }
    },
  };
}

function requireQemu(format: RestoreFormat): void {
  try {
    const args = ["--version"];
    childCommand(QEMU_IMG, { purpose: "tool", args, stdout: "null", stderr: "null" }).outputSync();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    if (cause instanceof Deno.errors.NotCapable) {
      throw new RegrainError("PERMISSION", `--format ${format} runs ${QEMU_IMG}, which Deno does not allow`, {
        cause,
        hint: `--allow-run=${QEMU_IMG}`,
      });
    }
    throw new RegrainError("UNSUPPORTED", `--format ${format} is written by ${QEMU_IMG}, which is not here`, {
      cause,
      hint: "install it (qemu-utils or qemu-img), or take --format raw or vmdk-flat",
    });
  }
}

const NO_SPACE = /No space left/i;

async function runQemu(args: readonly string[], path: string): Promise<void> {
  const command = childCommand(QEMU_IMG, { purpose: "tool", args, stdout: "null", stderr: "piped" });
  const { code, stderr } = await command.output();
  if (code === 0) return;
  const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1)!;
  throw new RegrainError(NO_SPACE.test(said) ? "NO_SPACE" : "WRITE_FAILED", `${QEMU_IMG} failed: ${said}`, {
    path,
  });
}

/** A sentence for a device that goes on behind the end of the disk. */
export function behindTheEnd(
  target: { path: string; sizeBytes: number },
  sizeBytes: number,
): string | undefined {
  const more = target.sizeBytes - sizeBytes;
  return more > 0
    ? `${target.path} is larger than the disk: its last ${plural(more, "byte")} stay as they are`
    : undefined;
}
