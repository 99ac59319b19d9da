/**
 * A disk that comes as a stream.
 *
 * A pipe whose other end failed looks like one that ended. So a stream has to be as long as what is known of the disk,
 * and what begins as something packed is no disk until the user says so: the first bytes of a raw disk are the guest's.
 */
import {
  formatCount,
  HEAD_BYTES,
  type ImageFormat,
  looksLike,
  probeHead,
  RegrainError,
  SECTOR_SIZE,
} from "../../../core-as/host/mod.ts";
import type { ReadNext } from "../../../core-as/host/forward/mod.ts";
import type { Snapshot } from "../../../core-as/host/repo/mod.ts";
import { type Packing, packingOf, peeked, unpackedAs } from "../../stream/unpack.ts";
import type { Repository } from "../repository.ts";
import { latestSnapshot } from "../snapshots/snapshots.ts";
import { planStream } from "./origins.ts";
import type { BackupPlan } from "./plan.ts";

/** What is read, and how it is known that it was read to its end. */
export interface DiskStream {
  readonly read: ReadNext;
  readonly path: string;
  succeeded?(): Promise<void>;
}

/** What is said of a stream. */
export interface StreamRequest {
  /** What the disk is called in the repository. */
  readonly name: string;
  /** How long it is. */
  readonly sizeBytes: number | undefined;
  readonly unpack: Packing | undefined;
  readonly format: ImageFormat | undefined;
  readonly force: boolean;
  /** It comes through standard input; else a command writes it. */
  readonly isPipe: boolean;
}

/** @param parent The snapshot before, as far as the backup may build on it. */
export async function planDiskStream(
  stream: DiskStream,
  request: StreamRequest,
  { repository, parent }: { repository: Repository; parent: Snapshot | undefined },
): Promise<BackupPlan> {
  const before = parent ??
    await latestSnapshot(repository, await repository.sourceKey(request.name), () => undefined);
  const judge = new LengthJudge(stream.path, request, before);
  judge.checkSaid();
  const read = await plainDisk(stream, request);
  return planStream(judge.counted(read), async (sizeBytes) => {
    await stream.succeeded?.();
    judge.checkEnd(sizeBytes);
  });
}

/** The stream as the bytes of the disk: unpacked as the user says, and refused when it still begins as an image. */
async function plainDisk({ read, path }: DiskStream, { unpack, format }: StreamRequest): Promise<ReadNext> {
  const plain = unpack === undefined ? read : unpackedAs(unpack, await packedAs(unpack, { read, path }));
  if (format === "raw") return plain;
  const { head, whole } = await peeked(plain, HEAD_BYTES);
  const packing = packingOf(head);
  const look = packing ?? looksLike(probeHead(head));
  if (look === undefined) return whole;
  throw new RegrainError(
    "NOT_A_DISK",
    `begins as ${look} does, and is not stored as a disk by that look alone`,
    {
      path,
      offsetBytes: 0,
      hint: wayOut(look, { packing, unpack }) +
        "--format raw stores the bytes as they are: right for a disk whose guest wrote them, else what is restored " +
        "is no disk",
    },
  );
}

/** The stream, which begins as the user says it does: what cannot be unpacked was not packed so, or not at all. */
async function packedAs(
  unpack: Packing,
  { read, path }: Pick<DiskStream, "read" | "path">,
): Promise<ReadNext> {
  const { head, whole } = await peeked(read, HEAD_BYTES);
  const packing = packingOf(head);
  if (packing === unpack || head.length === 0) return whole;
  throw new RegrainError("NOT_A_DISK", `does not begin as ${unpack} does`, {
    path,
    offsetBytes: 0,
    hint: packing === undefined ? "without --unpack if it is not packed" : `--unpack ${packing} unpacks it`,
  });
}

/** How the disk that is meant gets in, as the beginning of a hint. */
function wayOut(
  look: string,
  { packing, unpack }: { packing: string | undefined; unpack: string | undefined },
): string {
  if (packing !== undefined) return unpack === undefined ? `--unpack ${packing} unpacks it; ` : "";
  if (look !== "qcow2") return "";
  return "a qcow2 is made raw in a file first (qemu-img convert -O raw disk.qcow2 disk.img), and that is backed up; ";
}

/** Whether a stream has the length that the disk has. */
class LengthJudge {
  private readonly saidBytes: number | undefined;
  private readonly isForced: boolean;
  private readonly isRaw: boolean;
  /** What shows why a stream is not what it should be. */
  private readonly again: string;
  private readonly whenEmpty: string;

  constructor(
    private readonly path: string,
    { sizeBytes, force, format, isPipe }: StreamRequest,
    private readonly before: Snapshot | undefined,
  ) {
    this.saidBytes = sizeBytes;
    this.isForced = force;
    this.isRaw = format === "raw";
    this.again = isPipe ? "send it again" : "run the command by itself, and look at what it writes";
    this.whenEmpty = isPipe ? "--from-command CMD hears how the command ended" : this.again;
  }

  /** Before anything is read. */
  checkSaid(): void {
    if (this.saidBytes !== undefined) this.refuseShorter(this.saidBytes, "--size says");
  }

  /** The stream, refused as soon as more comes than the disk has. */
  counted(read: ReadNext): ReadNext {
    const { saidBytes } = this;
    if (saidBytes === undefined) return read;
    let sizeBytes = 0;
    return async (into) => {
      const count = await read(into);
      sizeBytes += count;
      if (sizeBytes <= saidBytes) return count;
      throw this.refusal("SIZE_MISMATCH", `goes on behind the ${bytesText(saidBytes)} that --size says`, {
        offsetBytes: saidBytes,
        hint: "give the size that the disk has; without --size nobody knows whether it came whole",
      });
    };
  }

  checkEnd(sizeBytes: number): void {
    const { saidBytes } = this;
    if (saidBytes !== undefined && sizeBytes < saidBytes) {
      throw this.refusal(
        "TRUNCATED",
        `ended after ${bytesText(sizeBytes)}, and --size says ${bytesText(saidBytes)}`,
        {
          offsetBytes: sizeBytes,
          hint: `${this.again}; without --size nobody knows whether it came whole`,
        },
      );
    }
    if (sizeBytes === 0 && !this.isForced) {
      throw this.refusal("TRUNCATED", "is empty: whatever was to write the disk wrote nothing", {
        offsetBytes: 0,
        hint:
          `${this.whenEmpty}; --force stores a disk of no bytes, which counts as the latest snapshot, and prune may ` +
          "remove good ones for it",
      });
    }
    this.refuseShorter(sizeBytes, "the stream has");
    this.refuseHalfSector(sizeBytes);
  }

  /** No disk ends in the middle of a sector, and a pipe that was cut mostly does. */
  private refuseHalfSector(sizeBytes: number): void {
    if (sizeBytes % SECTOR_SIZE === 0 || this.saidBytes !== undefined || this.isForced || this.isRaw) return;
    throw this.refusal("TRUNCATED", `ends in the middle of a sector, after ${bytesText(sizeBytes)}`, {
      offsetBytes: sizeBytes,
      hint:
        `${this.again}; --size ${sizeBytes} or --format raw stores it as it came: if it was cut, what is cut off is ` +
        "missing",
    });
  }

  private refuseShorter(sizeBytes: number, who: string): void {
    const { before } = this;
    if (before === undefined || sizeBytes >= before.sizeBytes || this.isForced) return;
    throw this.refusal(
      "SIZE_MISMATCH",
      `is shorter than the snapshot before it: ${who} ${bytesText(sizeBytes)}, ${before.id} ${
        bytesText(before.sizeBytes)
      }`,
      {
        offsetBytes: sizeBytes,
        hint:
          `${this.again}; --force stores it where the disk did become smaller: if it was cut, what is cut off is ` +
          "missing from the latest snapshot, and prune may remove good ones for it",
      },
    );
  }

  private refusal(
    code: "SIZE_MISMATCH" | "TRUNCATED",
    message: string,
    detail: { offsetBytes: number; hint: string },
  ): RegrainError {
    return new RegrainError(code, message, { path: this.path, ...detail });
  }
}

function bytesText(bytes: number): string {
  return `${formatCount(bytes)} bytes`;
}
