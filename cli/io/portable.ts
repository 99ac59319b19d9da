/**
 * Local I/O by `Deno.FsFile`: for every system, and for Linux without FFI.
 *
 * What it cannot do: find or punch holes, open a device exclusively, take the locks that QEMU looks at. Deno lets
 * nobody near `/dev`, `/proc` and `/sys` without `--allow-all`; what is out of sight there counts as absent.
 */
import type { Bounds } from "../../core-as/host/files.ts";
import type { ErrorCode } from "../../core-as/host/errors.ts";
import { type Batch, cutStretch, type TargetMedium } from "../../core-as/host/source.ts";
import { errnoOf, isForbidden } from "../deno_errors.ts";
import {
  assertInside,
  assertUsablePath,
  heldByRun,
  type Operation,
  pastEnd,
  shortRead,
  systemError,
  unsuitable,
} from "./errno.ts";
import { backingOf, refuseReadOnlyDevice, refuseWhenInUse, type SystemFiles } from "./in_use.ts";
import { FileWatch } from "./file_watch.ts";
import { HELD_LOCKED } from "./source_use.ts";
import { listFolder } from "./folder_list.ts";
import { removeIfThere, replaceFile, rewriteFile } from "./durable.ts";
import { modifiedMs, openLogFile } from "./log_file.ts";
import { NO_COPIER } from "./attributes.ts";
import { nameFile } from "./named_file.ts";
import { PRIVATE_MODE, setMode } from "./rights.ts";
import { roomByDeno } from "./room.ts";
import { translating, unlessAbsent } from "./translate.ts";
import {
  type FileStatus,
  type Identity,
  type Io,
  localMedium,
  type LocalSource,
  type LocalTarget,
  type TargetOptions,
} from "./types.ts";

import { isSame, Owners, requireJudged, requireWithin } from "./within.ts";

/** Blocks of file systems and devices, as nearly all have them; nothing depends on its being right. */
const DEFAULT_BLOCK_BYTES = 4096;
const ZEROS = new Uint8Array(256 * 1024);
const NO_HOLES = "holes cannot be punched without FFI: zeros are written";

/** @param reason Why this implementation was picked. */
export function openPortableIo(reason: string): Io {
  return new PortableIo(reason);
}

interface OpenFile {
  readonly file: Deno.FsFile;
  readonly path: string;
  readonly kind: "file" | "device";
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly identity: Identity;
  /** Of a file. */
  readonly watch?: FileWatch;
}

class PortableSource implements LocalSource {
  readonly path: string;
  protected size: number;
  readonly identity: Identity;
  readonly isDevice: boolean;
  protected readonly watch: FileWatch | undefined;
  protected readonly file: Deno.FsFile;
  #closed = false;

  constructor(open: OpenFile) {
    this.file = open.file;
    this.path = open.path;
    this.size = open.sizeBytes;
    this.identity = open.identity;
    this.isDevice = open.kind === "device";
    this.watch = open.watch;
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

  /** By `flock` alone: the locks that QEMU takes cannot be asked for from here. */
  inUse(): string | undefined {
    if (this.isDevice) return undefined;
    const isFree = translating(
      { operation: "open source", path: this.path },
      () => this.file.tryLockSync(false),
    );
    if (!isFree) return HELD_LOCKED;
    this.file.unlockSync();
    return undefined;
  }

  close(): void {
    if (!this.#closed) this.file.close();
    this.#closed = true;
  }

  #readOne(offsetBytes: number, lengthBytes: number, at: number, buffer: Uint8Array): void {
    const end = at + lengthBytes;
    assertInside(end, buffer);
    let from = at;
    const offset = () => offsetBytes + from - at;
    translating({ operation: "read", path: this.path, offsetBytes: offset }, () => {
      this.file.seekSync(offsetBytes, Deno.SeekMode.Start);
      while (from < end) {
        const got = this.file.readSync(buffer.subarray(from, end));
        if (!got) throw shortRead(this.path, offset());
        from += got;
      }
    });
  }
}

class PortableTarget extends PortableSource implements LocalTarget {
  readonly medium: TargetMedium;
  readonly fallbacks: string[] = [];
  zerosWrittenBytes = 0;

  constructor(open: OpenFile) {
    super(open);
    this.medium = localMedium(open);
  }

  /**
   * Claims it for this process until it is closed, by `flock` or what the system has instead. No force goes past it:
   * who holds it is a run of ours as a rule, and QEMU takes other locks, which are not seen here.
   */
  lock(): void {
    const isOurs = translating(
      { operation: "open target", path: this.path },
      () => this.file.tryLockSync(true),
    );
    if (!isOurs) throw heldByRun(this.path);
  }

  resize(sizeBytes: number): void {
    translating({ operation: "write", path: this.path }, () => this.file.truncateSync(sizeBytes));
    this.size = sizeBytes;
    this.watch?.resized(sizeBytes);
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
    const { offsetBytes, lengthBytes, punch } = stretch;
    const endBytes = offsetBytes + lengthBytes;
    if (endBytes > this.sizeBytes) throw pastEnd(this, offsetBytes);
    if (punch && this.fallbacks.length === 0) this.fallbacks.push(NO_HOLES);
    for (const piece of cutStretch({ offsetBytes, lengthBytes }, ZEROS.length)) {
      this.#writeOne(piece.offsetBytes, piece.lengthBytes, 0, ZEROS);
      this.zerosWrittenBytes += piece.lengthBytes;
    }
  }

  displaced(): string | undefined {
    return this.watch?.displaced();
  }

  flush(): void {
    translating({ operation: "flush", path: this.path }, () => this.file.syncSync());
  }

  #writeOne(offsetBytes: number, lengthBytes: number, at: number, buffer: Uint8Array): void {
    const end = at + lengthBytes;
    assertInside(end, buffer);
    if (offsetBytes + lengthBytes > this.sizeBytes) throw pastEnd(this, offsetBytes);
    let from = at;
    const offset = () => offsetBytes + from - at;
    translating({ operation: "write", path: this.path, offsetBytes: offset }, () => {
      this.file.seekSync(offsetBytes, Deno.SeekMode.Start);
      while (from < end) {
        const put = this.file.writeSync(buffer.subarray(from, end));
        if (put === 0) {
          throw systemError({ operation: "write", errno: "EIO", path: this.path, offsetBytes: offset() });
        }
        from += put;
      }
    });
  }
}

class PortableIo implements Io {
  readonly name = "portable";
  readonly #owners = new Owners();
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }

  openSource(path: string, bounds?: Bounds): LocalSource {
    assertUsablePath(path);
    if (bounds !== undefined) return this.#openWithin(path, bounds);
    const operation = "open source";
    const { kind } = examine(path, operation);
    assertSuitable(kind, { code: "NOT_A_DISK", path });
    const file = translating({ operation, path }, () => Deno.openSync(path, { read: true }));
    return orClose(file, () => new PortableSource(this.#describe({ file, path, operation })));
  }

  /** See {@link Io.openSource}: the name must lead to the file that is open, before and after. */
  #openWithin(path: string, bounds: Bounds): LocalSource {
    const operation = "open source";
    const before = lookAt(path, operation);
    requireWithin(before, bounds, this.#owners);
    assertSuitable(before.kind, { code: "NOT_A_DISK", path });
    const file = translating({ operation, path }, () => Deno.openSync(before.real, { read: true }));
    return orClose(file, () => {
      const source = new PortableSource(this.#describe({ file, path, operation }));
      const after = lookAt(path, operation);
      const isStill = after.real === before.real && isSame(after.identity, before.identity);
      if (isStill && isSame(source.identity, before.identity)) return source;
      throw bounds.refused({ reason: "was replaced while it was opened" });
    });
  }

  #describe(open: { file: Deno.FsFile; path: string; operation: Operation }): OpenFile {
    const { owner, ...opened } = describe(open);
    this.#owners.note(open.path, owner);
    return opened;
  }

  openTarget(path: string, options: TargetOptions): LocalTarget {
    assertUsablePath(path);
    if (options.create) return this.#createTarget(path, options.create.sizeBytes);
    const operation = "open target";
    const { kind, identity } = examine(path, operation);
    assertSuitable(kind, { code: "TARGET_UNSUITABLE", path });
    if (!options.joined) {
      refuseReadOnlyDevice(SYSTEM, { path, identity });
      refuseWhenInUse(SYSTEM, { path, identity }, options);
    }
    const file = translating({ operation, path }, () => Deno.openSync(path, { read: true, write: true }));
    return orClose(file, () => {
      const target = new PortableTarget(describe({ file, path, operation }));
      requireJudged(target.identity, options.judged, path);
      if (!options.joined) target.lock();
      return target;
    });
  }

  stat(path: string): FileStatus | undefined {
    assertUsablePath(path);
    const operation = "look up";
    const status = unlessAbsent({ operation, path }, () => examine(path, operation));
    if (status?.kind !== "device") return status && { kind: status.kind, sizeBytes: status.sizeBytes };
    const file = translating({ operation, path }, () => Deno.openSync(path, { read: true }));
    try {
      return { kind: "device", sizeBytes: describe({ file, path, operation }).sizeBytes };
    } finally {
      file.close();
    }
  }

  readonly list = listFolder;
  readonly modifiedMs = modifiedMs;
  readonly nameFile = nameFile;
  readonly openLog = openLogFile;
  readonly roomAt = roomByDeno;
  readonly replaceFile = replaceFile;
  readonly rewriteFile = (path: string, bytes: Uint8Array) => rewriteFile(path, bytes, NO_COPIER);
  readonly removeFile = removeIfThere;

  realPath(path: string): string | undefined {
    assertUsablePath(path);
    return unlessAbsent({ operation: "look up", path }, () => Deno.realPathSync(path));
  }

  #createTarget(path: string, sizeBytes: number): LocalTarget {
    const operation = "open target";
    const file = translating(
      { operation, path },
      () => Deno.openSync(path, { read: true, write: true, createNew: true, mode: PRIVATE_MODE }),
    );
    return orClose(file, () => {
      // First of all: whoever opened the new file in between, and locked it, owns it now, and its name too.
      new PortableTarget(describe({ file, path, operation })).lock();
      try {
        translating({ operation, path }, () => file.truncateSync(sizeBytes));
        return new PortableTarget(describe({ file, path, operation }));
      } catch (cause) {
        Deno.removeSync(path);
        throw cause;
      }
    });
  }
}

interface Examined {
  readonly kind: FileStatus["kind"];
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly identity: Identity;
  readonly modifiedNs: bigint | undefined;
  readonly links: number;
  readonly owner: number | undefined;
}

function examine(path: string, operation: Operation): Examined {
  return fromFileInfo(translating({ operation, path }, () => Deno.statSync(path)));
}

/** What a name leads to, and where that is. */
function lookAt(path: string, operation: Operation): Examined & { readonly real: string } {
  return translating({ operation, path }, () => {
    const real = Deno.realPathSync(path);
    return { ...fromFileInfo(Deno.lstatSync(real)), real };
  });
}

function fromFileInfo(info: Deno.FileInfo): Examined {
  const kind = info.isFile
    ? "file"
    : info.isDirectory
    ? "directory"
    : info.isBlockDevice
    ? "device"
    : "other";
  return {
    kind,
    sizeBytes: info.size,
    blockBytes: info.blksize || DEFAULT_BLOCK_BYTES,
    identity: {
      device: info.dev ?? NaN,
      inode: info.ino ?? NaN,
      rdev: kind === "device" ? info.rdev ?? NaN : undefined,
    },
    links: info.nlink ?? 1,
    owner: info.uid ?? undefined,
    modifiedNs: info.mtime ? BigInt(info.mtime.getTime()) * 1_000_000n : undefined,
  };
}

function describe(
  open: { file: Deno.FsFile; path: string; operation: Operation },
): OpenFile & Pick<Examined, "owner"> {
  const { file, path, operation } = open;
  return translating({ operation, path }, () => {
    const status = fromFileInfo(file.statSync());
    const { kind, sizeBytes, blockBytes, identity, owner } = status;
    if (kind === "file") {
      const watch = new FileWatch(status, {
        open: () => absentWhenRefused(() => fromFileInfo(file.statSync())),
        named: () => unlessAbsent({ operation: "look up", path }, () => examine(path, "look up")),
      });
      return { file, path, kind, sizeBytes, blockBytes, identity, owner, watch };
    }
    const backing = identity.rdev === undefined ? undefined : backingOf(SYSTEM, identity.rdev);
    return {
      file,
      path,
      kind: "device",
      sizeBytes: file.seekSync(0, Deno.SeekMode.End),
      owner,
      blockBytes,
      identity: backing === undefined ? identity : { ...identity, backing },
    };
  });
}

function assertSuitable(kind: FileStatus["kind"], refusal: { code: ErrorCode; path: string }): void {
  if (kind === "directory" || kind === "other") throw unsuitable(refusal.code, refusal.path, kind);
}

function orClose<T>(file: Deno.FsFile, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    file.close();
    throw cause;
  }
}

const SYSTEM: SystemFiles = {
  readText: (path) => absentWhenRefused(() => Deno.readTextFileSync(path)),
  list: (path) => absentWhenRefused(() => Array.from(Deno.readDirSync(path), (entry) => entry.name)) ?? [],
  identify: (path) => absentWhenRefused(() => fromFileInfo(Deno.statSync(path)).identity),
};

function absentWhenRefused<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (cause) {
    if (isForbidden(cause) || errnoOf(cause) !== undefined) return undefined;
    throw cause;
  }
}
