/** An open file or block device, by libc. */
import type { RegrainError } from "../../core-as/host/errors.ts";
import {
  type Batch,
  cutStretch,
  type Run,
  type Stretch,
  type TargetMedium,
} from "../../core-as/host/source.ts";
import { roundUp } from "../../core-as/host/units.ts";
import {
  assertInside,
  errnoName,
  heldByAnother,
  heldByRun,
  type Operation,
  pastEnd,
  shortRead,
  systemError,
} from "./errno.ts";
import {
  BLKFLSBUF,
  BLKZEROOUT,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  FUSE_SUPER_MAGIC,
  type Libc,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  MEMORY_FILE_SYSTEMS,
  NETWORK_FILE_SYSTEMS,
  POSIX_FADV_DONTNEED,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  STATFS_BYTES,
  untilDone,
  WRITE_LOCK_OWN_BYTE,
  WRITE_LOCK_WHOLE_FILE,
} from "./libc.ts";
import type { FileWatch } from "./file_watch.ts";
import { setMode } from "./rights.ts";
import { HELD_FOR_WRITING, HELD_LOCKED, QEMU_WRITES_BYTES, QEMU_WRITES_FROM } from "./source_use.ts";
import { type Identity, localMedium, type LocalSource, type LocalTarget } from "./types.ts";

/** Most bytes asked for in one call: whole pages, and the result fits 32 bits. */
const MAX_TRANSFER_BYTES = 2 ** 30;
const ZEROS = new Uint8Array(256 * 1024);

/** What an open descriptor stands for. */
export interface OpenFile {
  readonly fd: number;
  readonly path: string;
  readonly kind: "file" | "device";
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly identity: Identity;
  readonly watch?: Watch;
  /** Of a source: why it may be written to, as far as the system tells without asking for locks. */
  readonly mountedFor?: (() => string | undefined) | undefined;
}

/** What is looked at again later. */
type Watch = Pick<FileWatch, "changed" | "displaced"> & Partial<Pick<FileWatch, "resized">>;

/** A file or device that is open for reading. */
export class LinuxSource implements LocalSource {
  readonly path: string;
  protected size: number;
  readonly identity: Identity;
  readonly isDevice: boolean;
  protected readonly watch: Watch | undefined;
  readonly #mountedFor: (() => string | undefined) | undefined;
  /** Absent for devices, which have no holes to tell of. */
  readonly runs?: (fromBytes: number, toBytes: number) => Run[];
  protected readonly libc: Libc;
  /** The descriptor, or -1 once closed: a number that was closed may be another file's by now. */
  protected fd: number;
  /** The stretch of data that was found last. */
  #data = { start: 0, end: 0 };

  constructor(libc: Libc, file: OpenFile) {
    this.libc = libc;
    this.fd = file.fd;
    this.path = file.path;
    this.size = file.sizeBytes;
    this.identity = file.identity;
    this.isDevice = file.kind === "device";
    this.watch = file.watch;
    this.#mountedFor = file.mountedFor;
    if (file.kind === "file") this.runs = (fromBytes, toBytes) => this.#runs(fromBytes, toBytes);
  }

  get sizeBytes(): number {
    return this.size;
  }

  read(batch: Batch, buffer: Uint8Array): void {
    for (let i = 0; i < batch.count; i++) {
      this.#readOne(batch.offsetBytes[i]!, batch.lengthBytes[i]!, batch.at[i]!, buffer);
    }
  }

  changed(): string | undefined {
    return this.watch?.changed();
  }

  inUse(): string | undefined {
    if (this.isDevice) return this.#mountedFor?.();
    const isWrittenByQemu = this.#isLocked({
      type: F_WRLCK,
      from: QEMU_WRITES_FROM,
      bytes: QEMU_WRITES_BYTES,
    });
    if (isWrittenByQemu) return HELD_FOR_WRITING;
    if (this.#isLocked({ type: F_RDLCK, from: 0, bytes: 0 }) || this.#isClaimed()) return HELD_LOCKED;
    return this.#mountedFor?.();
  }

  dropCache(): string | undefined {
    if (this.isDevice) return this.#dropDevice();
    if (this.#isInMemory()) return "its file system is memory: there is no medium to read from";
    return this.#forget();
  }

  /** BLKFLSBUF lets go of buffers that a hint does not; but not everybody may ask for it. */
  #dropDevice(): string | undefined {
    if (untilDone(this.libc, () => this.libc.ioctl(this.fd, BLKFLSBUF, null)) < 0) {
      const obstacle = this.#forget();
      if (obstacle !== undefined) return obstacle;
    }
    if (this.identity.backing === undefined) return undefined;
    return "it is a loop device: what the system holds in memory of the file behind it cannot be dropped";
  }

  #forget(): string | undefined {
    const errno = this.libc.posix_fadvise(this.fd, 0n, 0n, POSIX_FADV_DONTNEED);
    if (errno === 0) return undefined;
    return `what the system holds of it in memory cannot be dropped (${errnoName(errno)})`;
  }

  #isInMemory(): boolean {
    const type = this.fileSystem();
    return type !== undefined && MEMORY_FILE_SYSTEMS.has(type);
  }

  /** Magic number of the file system, as `statfs(2)` lists them, or `undefined` when it does not tell. */
  protected fileSystem(): bigint | undefined {
    const status = new BigInt64Array(STATFS_BYTES / 8);
    return untilDone(this.libc, () => this.libc.fstatfs(this.fd, status)) === 0 ? status[0] : undefined;
  }

  /** Whether a lock of another stands in the way of this one, which is not taken. */
  #isLocked({ type, from, bytes }: { type: number; from: number; bytes: number }): boolean {
    const lock = new DataView(new ArrayBuffer(32));
    lock.setInt16(0, type, true);
    lock.setBigInt64(8, BigInt(from), true);
    lock.setBigInt64(16, BigInt(bytes), true);
    // Where the file system has no locks, nobody holds one.
    if (this.libc.fcntl(this.fd, F_OFD_GETLK, new Uint8Array(lock.buffer)) < 0) return false;
    return lock.getInt16(0, true) !== F_UNLCK;
  }

  /** Whether another has the file by `flock`: there is no way to ask but to take a shared one, for a moment. */
  #isClaimed(): boolean {
    if (this.libc.flock(this.fd, LOCK_SH + LOCK_NB) === 0) {
      this.libc.flock(this.fd, LOCK_UN);
      return false;
    }
    return this.libc.errno() === "EAGAIN";
  }

  close(): void {
    if (this.fd < 0) return;
    this.libc.close(this.fd);
    this.fd = -1;
  }

  /** Parameters in a row, not an object: this is the hot path. */
  #readOne(offsetBytes: number, lengthBytes: number, at: number, buffer: Uint8Array): void {
    const end = at + lengthBytes;
    assertInside(end, buffer);
    let from = at;
    while (from < end) {
      const to = Math.min(end, from + MAX_TRANSFER_BYTES);
      const offset = offsetBytes + from - at;
      const got = this.libc.pread(this.fd, buffer.subarray(from, to), BigInt(to - from), BigInt(offset));
      if (got > 0) from += got;
      else if (got === 0) throw shortRead(this.path, offset);
      else if (this.libc.errno() !== "EINTR") throw this.failure("read", offset);
    }
  }

  /**
   * By SEEK_DATA and SEEK_HOLE. A raw image has no parent, so its holes are known zeros.
   *
   * To find the end of data the system looks at every page up to it, on tmpfs even in memory, and whoever reads a
   * disk piece by piece asks for piece after piece of the same data. So the data that was found last is remembered:
   * at worst it is a hole by now, and reads as zeros.
   */
  #runs(fromBytes: number, toBytes: number): Run[] {
    if (toBytes > this.sizeBytes) throw new Error("runs of a file were asked for beyond its end");
    const runs: Run[] = [];
    for (let at = fromBytes; at < toBytes;) {
      if (at < this.#data.start || at >= this.#data.end) {
        const start = this.#seek(at, SEEK_DATA);
        const hole = Math.min(toBytes, start);
        if (hole > at) runs.push({ start: at, length: hole - at, kind: "zero" });
        if (start >= toBytes) break;
        this.#data = { start, end: this.#seek(start, SEEK_HOLE) };
        at = start;
      }
      const end = Math.min(toBytes, this.#data.end);
      runs.push({ start: at, length: end - at, kind: "data" });
      at = end;
    }
    return runs;
  }

  /** The next data or hole at or after an offset; the end of the file when there is none. */
  #seek(offsetBytes: number, whence: typeof SEEK_DATA | typeof SEEK_HOLE): number {
    const found = Number(this.libc.lseek(this.fd, BigInt(offsetBytes), whence));
    if (found >= 0) return found;
    if (this.libc.errno() !== "ENXIO") throw this.failure("read", offsetBytes);
    // Nothing but a hole up to the end, or beyond an end that has moved: a cut-off file must not pass for zeros.
    const endBytes = Number(this.libc.lseek(this.fd, 0n, SEEK_END));
    if (endBytes < this.sizeBytes) throw shortRead(this.path, Math.max(endBytes, 0));
    return this.sizeBytes;
  }

  /** The error that the last call of libc left, as ours. */
  protected failure(operation: Operation, offsetBytes?: number): RegrainError {
    const errno = this.libc.errno();
    return systemError({
      operation,
      errno,
      path: this.path,
      ...(offsetBytes === undefined ? {} : { offsetBytes }),
    });
  }
}

/** One way to make whole blocks read as zeros without sending them. */
interface ZeroWay {
  zero(startBytes: number, lengthBytes: number): number;
  /** What is said when the medium does not know this way. */
  readonly missing: string;
  /** The system may write the zeros itself, where the medium cannot make them. */
  readonly mayWrite?: true;
}

/** How a medium says that it does not know a request. EBUSY: a device that others have open too. */
const NOT_KNOWN = new Set(["EOPNOTSUPP", "EINVAL", "ENOTTY", "ENOSYS", "ENODEV", "EBUSY"]);
const NO_LOCKS = new Set(["ENOLCK", "EOPNOTSUPP", "EINVAL", "ENOSYS"]);

/**
 * A file or device that is open for writing in place. Its size is fixed: a file does not grow either.
 *
 * Zeroing goes down a ladder. Files, to punch: punched hole, zeroed range, written zeros; else written zeros,
 * so that their space stays allocated. Devices, to punch: punched (discarded with a promise of zeros), BLKZEROOUT,
 * written; else BLKZEROOUT, written. On FUSE zeros are written. A step that the medium does not know is reported
 * once and left out from then on.
 */
export class LinuxTarget extends LinuxSource implements LocalTarget {
  readonly medium: TargetMedium;
  readonly fallbacks: string[] = [];
  zerosWrittenBytes = 0;
  readonly #punchWays: ZeroWay[];
  readonly #zeroWays: ZeroWay[];

  constructor(libc: Libc, file: OpenFile) {
    super(libc, file);
    this.medium = localMedium(file);
    if (file.kind === "device") this.#punchWays = [this.#deviceHole(), this.#deviceZeroOut()];
    else this.#punchWays = this.#holesAreZeros() ? [this.#fileHole(), this.#fileZeroRange()] : [];
    this.#zeroWays = file.kind === "file" ? [] : [this.#deviceZeroOut()];
  }

  /**
   * Claims a file for this process until it is closed: by `flock`, which a second run of ours takes too, and by an
   * open-file-description lock, which QEMU takes on the image of a running machine. Devices need none: O_EXCL; but one
   * that is shared with a mount has only `flock` to tell two runs apart.
   *
   * @throws {RegrainError} `TARGET_BUSY`; `force` goes past QEMU's lock, and never past that of another run.
   */
  lock(options: { force: boolean; isShared?: boolean }): void {
    if (this.isDevice && !options.isShared) return;
    const isTold = !NETWORK_FILE_SYSTEMS.has(this.fileSystem() ?? 0n);
    // QEMU locks a few bytes near the start; whoever holds this one too is taken for a run of ours.
    const ownByte = () => this.libc.fcntl(this.fd, F_OFD_SETLK, WRITE_LOCK_OWN_BYTE);
    if (!this.isDevice) this.#claim(ownByte, { force: false, held: heldByRun });
    const flock = () => this.libc.flock(this.fd, LOCK_EX + LOCK_NB);
    this.#claim(flock, { force: options.force && !isTold, held: isTold ? heldByRun : heldByAnother });
    if (this.isDevice) return;
    const wholeFile = () => this.libc.fcntl(this.fd, F_OFD_SETLK, WRITE_LOCK_WHOLE_FILE);
    this.#claim(wholeFile, { force: options.force, held: heldByAnother });
  }

  resize(sizeBytes: number): void {
    if (untilDone(this.libc, () => this.libc.ftruncate(this.fd, BigInt(sizeBytes))) < 0) {
      throw this.failure("write", Math.min(sizeBytes, this.sizeBytes));
    }
    this.size = sizeBytes;
    this.watch?.resized?.(sizeBytes);
  }

  setMode(mode: number): void {
    setMode(this.path, { identity: this.identity, mode });
  }

  write(batch: Batch, buffer: Uint8Array): void {
    for (let i = 0; i < batch.count; i++) {
      this.#writeOne(batch.offsetBytes[i]!, batch.lengthBytes[i]!, batch.at[i]!, buffer);
    }
  }

  zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): void {
    const { offsetBytes, lengthBytes } = stretch;
    const endBytes = offsetBytes + lengthBytes;
    if (endBytes > this.sizeBytes) throw pastEnd(this, offsetBytes);
    const firstBlock = roundUp(offsetBytes, this.medium.granularityBytes);
    const lastBlock = endBytes - endBytes % this.medium.granularityBytes;
    const ways = stretch.punch ? this.#punchWays : this.#zeroWays;
    if (lastBlock <= firstBlock || ways.length === 0) return this.#writeZeros(offsetBytes, endBytes);
    // A file system zeroes the parts of blocks at both ends itself, and leaves them holes where they are.
    if (!this.isDevice) return this.#zeroBlocks(ways, offsetBytes, endBytes);
    this.#writeZeros(offsetBytes, firstBlock);
    this.#zeroBlocks(ways, firstBlock, lastBlock);
    this.#writeZeros(lastBlock, endBytes);
  }

  /** By `fsync`: `fdatasync` may leave out what a punched hole changed. */
  flush(): void {
    if (untilDone(this.libc, () => this.libc.fsync(this.fd)) < 0) throw this.failure("flush");
  }

  displaced(): string | undefined {
    return this.watch?.displaced();
  }

  /**
   * A program behind FUSE may pass a punched hole on as a trim, after which the old data may still be there: nbdfuse
   * does, and qemu-storage-daemon 7.2, and both report success. There zeros are written.
   */
  #holesAreZeros(): boolean {
    if (this.fileSystem() !== FUSE_SUPER_MAGIC) return true;
    this.#report("its file system is FUSE, where a punched hole need not read as zeros: zeros are written");
    return false;
  }

  #claim(lock: () => number, options: { force: boolean; held: (path: string) => RegrainError }): void {
    if (untilDone(this.libc, lock) === 0) return;
    const errno = this.libc.errno();
    if (NO_LOCKS.has(errno)) {
      this.#report(`the file system cannot lock the target (${errno}): nothing keeps other programs from it`);
      return;
    }
    if (options.force && (errno === "EAGAIN" || errno === "EACCES")) return;
    throw errno === "EAGAIN" || errno === "EACCES" ? options.held(this.path) : this.failure("open target");
  }

  #writeOne(offsetBytes: number, lengthBytes: number, at: number, buffer: Uint8Array): void {
    const end = at + lengthBytes;
    assertInside(end, buffer);
    if (offsetBytes + lengthBytes > this.sizeBytes) throw pastEnd(this, offsetBytes);
    let from = at;
    while (from < end) {
      const to = Math.min(end, from + MAX_TRANSFER_BYTES);
      const offset = offsetBytes + from - at;
      const put = this.libc.pwrite(this.fd, buffer.subarray(from, to), BigInt(to - from), BigInt(offset));
      if (put > 0) from += put;
      else if (put === 0) {
        throw systemError({ operation: "write", errno: "EIO", path: this.path, offsetBytes: offset });
      } else if (this.libc.errno() !== "EINTR") throw this.failure("write", offset);
    }
  }

  #writeZeros(fromBytes: number, toBytes: number): void {
    for (const { offsetBytes, lengthBytes } of cutStretch(between(fromBytes, toBytes), ZEROS.length)) {
      this.#writeOne(offsetBytes, lengthBytes, 0, ZEROS);
      this.zerosWrittenBytes += lengthBytes;
    }
  }

  #zeroBlocks(ways: ZeroWay[], startBytes: number, endBytes: number): void {
    for (let way = ways[0]; way !== undefined; way = ways[0]) {
      const { zero, missing, mayWrite } = way;
      if (untilDone(this.libc, () => zero(startBytes, endBytes - startBytes)) === 0) {
        if (mayWrite) this.zerosWrittenBytes += endBytes - startBytes;
        return;
      }
      const errno = this.libc.errno();
      if (!NOT_KNOWN.has(errno)) throw this.failure("zero", startBytes);
      this.#report(`${missing} (${errno})`);
      ways.shift();
    }
    this.#writeZeros(startBytes, endBytes);
  }

  #report(fallback: string): void {
    if (!this.fallbacks.includes(fallback)) this.fallbacks.push(fallback);
  }

  #fileHole(): ZeroWay {
    return {
      zero: this.#fallocate(FALLOC_FL_PUNCH_HOLE + FALLOC_FL_KEEP_SIZE),
      missing: "the file system cannot punch holes: zeroed stretches keep their space",
    };
  }

  #fileZeroRange(): ZeroWay {
    return {
      zero: this.#fallocate(FALLOC_FL_ZERO_RANGE + FALLOC_FL_KEEP_SIZE),
      missing: "the file system cannot zero a range by itself: zeros are written",
    };
  }

  #deviceHole(): ZeroWay {
    return {
      zero: this.#fallocate(FALLOC_FL_PUNCH_HOLE + FALLOC_FL_KEEP_SIZE),
      missing: "the device cannot give space back: zeroed stretches keep theirs",
    };
  }

  #deviceZeroOut(): ZeroWay {
    return {
      zero: (startBytes, lengthBytes) => {
        const range = new BigUint64Array([BigInt(startBytes), BigInt(lengthBytes)]);
        return this.libc.ioctl(this.fd, BLKZEROOUT, range);
      },
      missing: "the device cannot zero a stretch by itself: zeros are written",
      mayWrite: true,
    };
  }

  #fallocate(mode: number): ZeroWay["zero"] {
    return (startBytes, lengthBytes) =>
      this.libc.fallocate(this.fd, mode, BigInt(startBytes), BigInt(lengthBytes));
  }
}

function between(fromBytes: number, toBytes: number): Stretch {
  return { offsetBytes: fromBytes, lengthBytes: toBytes - fromBytes };
}
