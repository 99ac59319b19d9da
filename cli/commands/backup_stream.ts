/**
 * `regrain backup -` and `--from-command`: a disk that comes as a stream.
 *
 * A pipe whose other end failed looks like one that ended. So a stream has to be as long as what is known of the disk,
 * and what begins as something packed is no disk until the user says so: the first bytes of a raw disk are the guest's.
 */
import {
  formatCount,
  HEAD_BYTES,
  type ImageFormat,
  looksLike,
  parseSize,
  probeHead,
  RegrainError,
  SECTOR_SIZE,
} from "../../core-as/host/mod.ts";
import { PIPE_NAME, type ReadNext } from "../../core-as/host/forward/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { planStream } from "../backup/make/origins.ts";
import type { BackupPlan } from "../backup/make/plan.ts";
import type { Repository } from "../backup/repository.ts";
import { latestSnapshot } from "../backup/snapshots/snapshots.ts";
import { openCommand } from "../stream/from_command.ts";
import { openStdin } from "../stream/stdin.ts";
import { type Packing, packingOf, peeked, unpackedAs } from "../stream/unpack.ts";
import { PIPE } from "../places/pipe.ts";
import type { Session } from "../session/session.ts";

export interface StreamFlags {
  readonly name: string;
  readonly fromCommand?: string | undefined;
  readonly size?: string | undefined;
  readonly unpack?: Packing | undefined;
  readonly format?: ImageFormat | undefined;
  readonly force?: boolean | undefined;
}

/** True when the disk comes as a stream. */
export function isStream(source: string | undefined, { fromCommand }: StreamFlags): boolean {
  return source === PIPE || fromCommand !== undefined;
}

/** Refuses flags of streams that do not go together, or without a stream. */
export function checkStream(
  source: string | undefined,
  flags: StreamFlags & { delta?: string | undefined },
): void {
  const { fromCommand, size, unpack, format, delta } = flags;
  if (fromCommand !== undefined && (source !== undefined || delta !== undefined)) {
    throw new RegrainError(
      "USAGE",
      "with --from-command there is no SOURCE and no --delta: the command writes the disk",
    );
  }
  if (fromCommand?.trim() === "") {
    throw new RegrainError("USAGE", "--from-command names no command", {
      hint: "such as --from-command 'ssh esx dd if=/dev/vg0/vm bs=4M'",
    });
  }
  if (!isStream(source, flags)) {
    const flag = size !== undefined ? "--size" : unpack !== undefined ? "--unpack" : undefined;
    if (flag === undefined) return;
    throw new RegrainError("USAGE", `${flag} is about a stream, and SOURCE is none`, {
      hint: "- for standard input, or --from-command",
    });
  }
  if (format === "vmdk" || format === "qcow2") {
    const what = format === "vmdk" ? "a VMDK" : "a qcow2 image";
    throw new RegrainError(
      "USAGE",
      `${what} is not backed up from a stream: its parts do not come in the order of the disk`,
      {
        hint: format === "vmdk"
          ? "back the file up by its name; or regrain apply - TARGET, and back TARGET up"
          : "back the file up by its name",
      },
    );
  }
  sizeOf(flags);
}

function sizeOf({ size }: StreamFlags): number | undefined {
  if (size === undefined) return undefined;
  const bytes = parseSize(size);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw new RegrainError("USAGE", `--size ${size} is no size of a disk`, {
    hint: "such as 40G, or the bytes",
  });
}

/** What is read, and how it is known that it was read to its end. */
interface OpenedStream extends Disposable {
  readonly read: ReadNext;
  readonly path: string;
  succeeded?(): Promise<void>;
}

export function openStream({ session, repository, flags }: {
  readonly session: Session;
  readonly repository: Repository;
  readonly flags: StreamFlags;
}): { plan(parent: Snapshot | undefined): Promise<BackupPlan>; sizeBytes: number | undefined } & Disposable {
  const stream = openInput(session, flags);
  return {
    async plan(parent) {
      const before = parent ??
        await latestSnapshot(repository, await repository.sourceKey(flags.name), () => undefined);
      const judge = new LengthJudge(stream.path, { flags, before });
      judge.checkSaid();
      const read = await plainDisk(stream, flags);
      return planStream(judge.counted(read), async (sizeBytes) => {
        await stream.succeeded?.();
        judge.checkEnd(sizeBytes);
      });
    },
    sizeBytes: sizeOf(flags),
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  };
}

function openInput(session: Session, { name, fromCommand }: StreamFlags): OpenedStream {
  if (fromCommand === undefined) {
    const read = openStdin(session.io, `dd if=/dev/vg/vm bs=4M | regrain backup - --name ${name}`);
    return { read, path: PIPE_NAME, [Symbol.dispose]: () => undefined };
  }
  const { console } = session;
  const command = openCommand(fromCommand, (from, ended) => console.relay(from, ended));
  return Object.assign(command, { path: fromCommand });
}

/** The stream as the bytes of the disk: unpacked as the user says, and refused when it still begins as an image. */
async function plainDisk({ read, path }: OpenedStream, { unpack, format }: StreamFlags): Promise<ReadNext> {
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
  { read, path }: Pick<OpenedStream, "read" | "path">,
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
  private readonly before: Snapshot | undefined;

  constructor(private readonly path: string, known: { flags: StreamFlags; before: Snapshot | undefined }) {
    this.saidBytes = sizeOf(known.flags);
    this.isForced = known.flags.force ?? false;
    this.isRaw = known.flags.format === "raw";
    const isPipe = known.flags.fromCommand === undefined;
    this.again = isPipe ? "send it again" : "run the command by itself, and look at what it writes";
    this.whenEmpty = isPipe ? "--from-command CMD hears how the command ended" : this.again;
    this.before = known.before;
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
