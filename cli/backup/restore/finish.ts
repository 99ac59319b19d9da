/** What is made of the raw disk that was written: a flat VMDK by itself, other formats through qemu-img. */
import { Batch, RegrainError, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import type { Snapshot } from "../../../core-as/host/repo/mod.ts";
import { childCommand } from "../../child.ts";
import { isForbidden } from "../../deno_errors.ts";
import { type Io, PRIVATE_FOLDER_MODE, translating } from "../../io/mod.ts";
import { findPart, makePart, type Part, partOf } from "../../target/part.ts";
import type { RestoreFormat } from "./format.ts";

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
  /**
   * Makes of the raw disk what was asked for, with the rights that were asked for. While it goes on nobody else can
   * have the part; a step that fails leaves it for the next run.
   */
  run(part: Part): void | Promise<void>;
}

/** What a disk is written for. */
interface FormatWork {
  readonly snapshot: Snapshot;
  readonly cid: string | undefined;
  /** What could not be read by the time that the disk is written: then it is not the disk of that CID. */
  readonly damaged: readonly unknown[];
  readonly io: Io;
  /** Whether a file that is there is replaced. */
  readonly force: boolean;
  /** Rights of what is made. */
  readonly mode: number;
}

/**
 * Says where the raw disk goes to, and what is made of it then.
 *
 * @throws {RegrainError} `UNSUPPORTED` when the format needs a program that is not here, `TARGET_UNSUITABLE`.
 */
export function planFormat(
  format: RestoreFormat,
  path: string,
  about: FormatWork,
): Finish {
  const { io, force, mode } = about;
  if (format === "raw" || format === "vmdk") {
    return { rawPath: path, made: [], copies: 1, run: (part) => part.moveTo(path, { mode, replace: force }) };
  }
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
  return format === "vmdk-flat" ? planFlat(path, about) : planConversion(format, path, about);
}

function planFlat(path: string, { snapshot, cid, damaged, io, mode, force }: FormatWork): Finish {
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
  return {
    rawPath,
    made: [path, partOf(path)],
    copies: 1,
    async run(part) {
      const known = damaged.length > 0 ? undefined : cid;
      const text = flatDescriptor({ sizeBytes: snapshot.sizeBytes, cid: known, flatName });
      const bytes = new TextEncoder().encode(text);
      // Both files are locked until the second has its name: else two runs could each give the other's disk its CID.
      const descriptor = await writePart(partOf(path), bytes, io);
      try {
        part.moveTo(rawPath, { mode, replace: force });
        descriptor.moveTo(path, { mode, replace: force });
      } finally {
        descriptor.close();
      }
    },
  };
}

/** A small file that waits for its name. */
async function writePart(path: string, bytes: Uint8Array, io: Io): Promise<Part> {
  const file = { io, sizeBytes: bytes.length };
  const part = findPart(path, file) ?? makePart(path, file);
  try {
    const batch = new Batch();
    batch.add({ offsetBytes: 0, lengthBytes: bytes.length, at: 0 });
    await part.target.write(batch, bytes);
    await part.target.flush();
    return part;
  } catch (error) {
    part.close();
    throw error;
  }
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

/** Names in the folder in which qemu-img works. */
const RAW_NAME = "disk.raw";
const MADE_NAME = "disk.made";

/**
 * The raw disk is written beside the target, converted, and removed; sparse, it takes as much space as there is data.
 *
 * qemu-img follows links, and reads options and protocols out of names. So both of its files are in a fresh folder that
 * nobody else may enter, and their names are absolute.
 */
function planConversion(format: RestoreFormat, path: string, { io, mode, force }: FormatWork): Finish {
  requireQemu(format);
  return {
    rawPath: path,
    made: [],
    copies: 2,
    async run(part) {
      const begunAs = part.path;
      const folder = makePrivateFolder(path, io);
      const [raw, made] = [`${folder}/${RAW_NAME}`, `${folder}/${MADE_NAME}`];
      try {
        part.moveTo(raw, { replace: false });
        // qemu-img asks for locks of its own, and in here there is nobody to lock out.
        part.close();
        await runQemu(["convert", "-f", "raw", ...CONVERSIONS[format]!, raw, made], path);
        await finishMade(made, path, { io, mode, force });
      } catch (error) {
        leaveForNextRun(raw, begunAs);
        throw error;
      } finally {
        translating(
          { operation: "remove", path: folder },
          () => Deno.removeSync(folder, { recursive: true }),
        );
      }
    },
  };
}

function makePrivateFolder(beside: string, io: Io): string {
  const folder = `${beside}.${crypto.randomUUID().slice(0, 8)}`;
  translating(
    { operation: "save", path: folder },
    () => Deno.mkdirSync(folder, { mode: PRIVATE_FOLDER_MODE }),
  );
  const real = io.realPath(folder);
  if (real !== undefined) return real;
  throw new RegrainError("TARGET_CHANGED", "the folder for qemu-img is gone, which was just made", {
    path: folder,
  });
}

/** Makes durable what qemu-img has written, and gives it its name. */
async function finishMade(
  made: string,
  path: string,
  { io, mode, force }: Pick<FormatWork, "io" | "mode" | "force">,
): Promise<void> {
  const sizeBytes = io.stat(made)?.sizeBytes ?? 0;
  const part = findPart(made, { io, sizeBytes });
  if (part === undefined) throw new RegrainError("WRITE_FAILED", "qemu-img has made no file", { path });
  try {
    await part.target.flush();
    part.moveTo(path, { mode, replace: force });
  } finally {
    part.close();
  }
}

/** Puts the raw disk back for the next run, unless one has begun another meanwhile. */
function leaveForNextRun(raw: string, begunAs: string): void {
  try {
    Deno.linkSync(raw, begunAs);
  } catch (error) {
    // Not every file system has a second name for a file; then the next run begins anew. The first error is the one.
    if (!(error instanceof Error) || error instanceof TypeError) throw error;
  }
}

function requireQemu(format: RestoreFormat): void {
  try {
    const args = ["--version"];
    childCommand(QEMU_IMG, { purpose: "tool", args, stdout: "null", stderr: "null" }).outputSync();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    if (isForbidden(cause)) {
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
