/**
 * A machine in memory that can be stopped at any operation, by a kill or by a power loss.
 *
 * Every file has what is durable and what was written since. A kill keeps all of it. A power loss keeps what
 * was synced, and of the rest whatever it likes: nothing, everything, or some sectors of some writes.
 */
import { setImmediate } from "node:timers";
import {
  type Batch,
  type Files,
  MIB,
  RegrainError,
  SECTOR_SIZE,
  type Source,
} from "../../core-as/host/mod.ts";
import type { Io, LocalSource, LocalTarget, LogFile } from "../../cli/io/mod.ts";
import { Rng } from "../../fixtures/mod.ts";
import { memorySource } from "./memory.ts";

/** Thrown in place of an operation: the process is no more. */
export class Crash extends Error {}

/** What of the writes that were not synced survives. */
export type Loss = "kill" | "all-lost" | "some-lost";

/** A change of a file that is not durable yet. */
interface Pending {
  readonly offsetBytes: number;
  readonly bytes: Uint8Array;
}

class CrashFile {
  pending: Pending[] = [];
  /** What a reader sees, until the next change. */
  private seen: Uint8Array | undefined;

  constructor(public durable: Uint8Array) {}

  /** What a reader sees. */
  get bytes(): Uint8Array {
    return this.seen ??= this.pending.reduce<Uint8Array>(
      (bytes, change) => applied(bytes, change),
      this.durable.slice(),
    );
  }

  change(change: Pending): void {
    this.seen = undefined;
    this.pending.push({ offsetBytes: change.offsetBytes, bytes: change.bytes.slice() });
  }

  sync(): void {
    this.durable = this.bytes;
    this.pending = [];
  }

  /** The file after the machine came back. */
  afterLoss(loss: Loss, rng: Rng): CrashFile {
    if (loss === "kill") return new CrashFile(this.bytes);
    if (loss === "all-lost") return new CrashFile(this.durable.slice());
    let bytes: Uint8Array = this.durable.slice();
    for (const change of this.pending) {
      for (let at = 0; at < change.bytes.length; at += SECTOR_SIZE) {
        const offsetBytes = change.offsetBytes + at;
        const piece = change.bytes.subarray(at, at + SECTOR_SIZE);
        const fate = rng.int(3);
        if (fate === 0) bytes = applied(bytes, { offsetBytes, bytes: piece });
        // A file may have grown before its data reached the medium: then zeros stand behind its old end.
        if (fate === 1) {
          bytes = applied(bytes, {
            offsetBytes: bytes.length,
            bytes: grownBy(bytes, offsetBytes + piece.length),
          });
        }
      }
    }
    return new CrashFile(bytes);
  }
}

function grownBy(bytes: Uint8Array, endBytes: number): Uint8Array {
  return new Uint8Array(Math.max(0, endBytes - bytes.length));
}

function applied(bytes: Uint8Array, change: Pending): Uint8Array {
  const end = change.offsetBytes + change.bytes.length;
  const out = end > bytes.length ? new Uint8Array(end) : bytes;
  if (out !== bytes) out.set(bytes);
  out.set(change.bytes, change.offsetBytes);
  return out;
}

export class CrashMachine {
  /** Operations that changed something so far. */
  steps = 0;
  private readonly files = new Map<string, CrashFile>();
  /** How long calls of its targets take. */
  private readonly lots = new Rng(7);
  /** A write to a target that begins here fails, and all else goes on. */
  failsAtBytes: number | undefined;

  /**
   * @param crashAt Number of the operation in place of which the machine stops; `Infinity` never.
   * @param inFlight Calls that its targets want under way. With more than 1 they end later, and in any order.
   */
  constructor(
    files: Readonly<Record<string, Uint8Array>>,
    readonly crashAt = Infinity,
    readonly inFlight = 1,
  ) {
    for (const [path, bytes] of Object.entries(files)) this.files.set(path, new CrashFile(bytes.slice()));
  }

  /** The same machine after it was switched on again. */
  restarted(loss: Loss, seed: number): CrashMachine {
    const rng = new Rng(seed);
    const machine = new CrashMachine({}, Infinity, this.inFlight);
    for (const [path, file] of this.files) machine.files.set(path, file.afterLoss(loss, rng));
    return machine;
  }

  bytesOf(path: string): Uint8Array {
    return this.find(path).bytes;
  }

  has(path: string): boolean {
    return this.files.has(path);
  }

  /** For opening the links. */
  get links(): Files {
    return {
      open: (path) => this.openSource(path),
      exists: (path) => this.files.has(path),
      realPath: (path) => path,
      list: () => [...this.files.keys()],
    };
  }

  get io(): Io {
    return {
      name: "portable",
      reason: "a machine in memory",
      openSource: (path) => this.openSource(path),
      openTarget: (path) => this.openTarget(path),
      stat: (path) => {
        const file = this.files.get(path);
        return file && { kind: "file", sizeBytes: file.bytes.length };
      },
      realPath: (path) => this.files.has(path) ? path : undefined,
      nameFile: (path) => ({ path: `/${path}`, identity: undefined }),
      list: () => [...this.files.keys()],
      modifiedMs: () => 0,
      roomAt: () => ({ obstacle: undefined, freeBytes: undefined }),
      openLog: (path, { create }) => this.openLog(path, create),
      replaceFile: (path, bytes) => this.replaceFile(path, bytes),
      rewriteFile: (path, bytes) => this.replaceFile(path, bytes),
      removeFile: (path) => {
        this.step();
        this.files.delete(path);
      },
    };
  }

  private step(): void {
    // What was under way when it stopped does not happen either.
    if (this.steps++ >= this.crashAt) throw new Crash(`at operation ${this.crashAt}`);
  }

  private find(path: string): CrashFile {
    const file = this.files.get(path);
    if (!file) throw new RegrainError("NOT_FOUND", "there is no such file", { path });
    return file;
  }

  private openSource(path: string): LocalSource {
    const source: Source = memorySource(path, this.find(path).bytes);
    return Object.assign(source, { identity: this.identityOf(path) });
  }

  private identityOf(path: string) {
    return { device: 1, inode: [...this.files.keys()].indexOf(path), rdev: undefined };
  }

  private async latency(): Promise<void> {
    if (this.inFlight === 1) return;
    for (let turns = this.lots.int(6); turns > 0; turns--) {
      await new Promise<void>((next) => setImmediate(next));
    }
  }

  private openTarget(path: string): LocalTarget {
    const file = this.find(path);
    const change = (offsetBytes: number, bytes: Uint8Array) => {
      this.step();
      file.change({ offsetBytes, bytes });
    };
    return {
      path,
      sizeBytes: file.bytes.length,
      identity: this.identityOf(path),
      fallbacks: [],
      // Nobody else is on this machine.
      setMode: () => {},
      resize: () => {
        throw new Error("files of this machine keep their size");
      },
      read: (batch: Batch, buffer: Uint8Array) => memorySource(path, file.bytes).read(batch, buffer),
      medium: { preferredBytes: MIB, inFlight: this.inFlight, granularityBytes: 4096, holesAreFree: true },
      write: async (batch: Batch, buffer: Uint8Array) => {
        await this.latency();
        for (let i = 0; i < batch.count; i++) {
          if (batch.offsetBytes[i] === this.failsAtBytes) throw refused(path, this.failsAtBytes!);
          change(batch.offsetBytes[i]!, buffer.subarray(batch.at[i]!, batch.at[i]! + batch.lengthBytes[i]!));
        }
      },
      zero: async ({ offsetBytes, lengthBytes }) => {
        await this.latency();
        change(offsetBytes, new Uint8Array(lengthBytes));
      },
      flush: () => {
        this.step();
        file.sync();
      },
      close: () => {},
    };
  }

  /** The new file is durable before its name is, and a rename happens or does not. */
  private replaceFile(path: string, bytes: Uint8Array): void {
    this.step();
    this.files.set(path, new CrashFile(bytes.slice()));
    this.step();
  }

  private openLog(path: string, create: boolean): LogFile {
    if (create) {
      this.step();
      this.files.set(path, new CrashFile(new Uint8Array(0)));
    }
    const file = this.find(path);
    return {
      path,
      write: (offsetBytes, bytes) => {
        this.step();
        file.change({ offsetBytes, bytes });
      },
      sync: () => {
        this.step();
        file.sync();
      },
      close: () => {},
    };
  }
}

function refused(path: string, offsetBytes: number): RegrainError {
  return new RegrainError("WRITE_FAILED", "the medium refused", { path, offsetBytes });
}
