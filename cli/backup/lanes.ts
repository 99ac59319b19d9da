/**
 * What costs time in a backup and a restore (hashing, packing, encrypting chunks, and the way back) is done in lanes:
 * workers, one a processor, or this thread where there is little to do. Main reads and stores; buffers travel, they
 * are not copied.
 */
import { createHash, createHmac } from "node:crypto";
import { type Codec, RepositoryKeys, unseal } from "../../core-as/host/repo/mod.ts";
import { type ErrorCode, RegrainError } from "../../core-as/host/errors.ts";
import { nativeCodec } from "./codec.ts";

/** What lanes must know of the repository. */
export interface LaneSetup {
  readonly repository: string;
  /** The repository's key where it is encrypted. */
  readonly master: Uint8Array<ArrayBuffer> | undefined;
  /** zstd level. */
  readonly level: number;
}

/** A chunk whose id is known; it ends by exactly one of the two calls. */
export interface IdentifiedChunk {
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Makes the object that stands under `key`; gives the buffer back with it. */
  seal(key: string): Promise<{ sealed: Uint8Array<ArrayBuffer>; buffer: Uint8Array<ArrayBuffer> }>;
  /** Gives the buffer back: the chunk need not be stored. */
  release(): Promise<Uint8Array<ArrayBuffer>>;
}

/** What a stored chunk must turn out to be. */
export interface ChunkDue {
  readonly key: string;
  /** How messages name it. */
  readonly path: string;
  readonly id: string;
  readonly plainBytes: number;
}

export interface Lanes {
  /** Chunks that can be worked on at once. */
  readonly count: number;
  /** @param plain The first bytes of a buffer, which belongs to the lane until it is given back. */
  identify(plain: Uint8Array<ArrayBuffer>): Promise<IdentifiedChunk>;
  /** @throws {RegrainError} `CHUNK_DAMAGED`. */
  unseal(stored: Uint8Array<ArrayBuffer>, due: ChunkDue): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/** The work itself, in whatever thread it is done. */
export class ChunkWork {
  private constructor(private readonly codec: Codec, private readonly keys: RepositoryKeys | undefined) {}

  static async create({ repository, master, level }: LaneSetup): Promise<ChunkWork> {
    const keys = master === undefined ? undefined : await RepositoryKeys.derive(master, repository);
    return new ChunkWork(nativeCodec(level), keys);
  }

  /** As `contentId`, by the faster of the two that Deno has. */
  identify(plain: Uint8Array): string {
    const { keys } = this;
    const hash = keys === undefined ? createHash("sha256") : createHmac("sha256", keys.idKey);
    return hash.update(plain).digest("hex");
  }

  async seal(plain: Uint8Array<ArrayBuffer>, key: string): Promise<Uint8Array<ArrayBuffer>> {
    const packed = this.codec.compress(plain);
    return this.keys === undefined ? packed : await this.keys.encrypt(key, packed);
  }

  unseal(stored: Uint8Array<ArrayBuffer>, due: ChunkDue): Promise<Uint8Array<ArrayBuffer>> {
    const { codec, keys } = this;
    return unseal(stored, due, { codec, keys, identify: (plain) => this.identify(plain) });
  }
}

/** Lanes in this thread. */
export class InlineLanes implements Lanes {
  readonly count = 1;
  private constructor(private readonly work: ChunkWork) {}

  static async open(setup: LaneSetup): Promise<InlineLanes> {
    return new InlineLanes(await ChunkWork.create(setup));
  }

  identify(plain: Uint8Array<ArrayBuffer>): Promise<IdentifiedChunk> {
    const buffer = new Uint8Array(plain.buffer);
    return Promise.resolve({
      id: this.work.identify(plain),
      seal: async (key) => ({ sealed: await this.work.seal(plain, key), buffer }),
      release: () => Promise.resolve(buffer),
    });
  }

  unseal(stored: Uint8Array<ArrayBuffer>, due: ChunkDue): Promise<Uint8Array<ArrayBuffer>> {
    return this.work.unseal(stored, due);
  }

  close(): void {}
}

/** What is asked of a worker; `job` ties the answer to it. */
export type LaneRequest =
  | { readonly type: "setup"; readonly setup: LaneSetup }
  | { readonly type: "identify"; readonly job: number; readonly plain: Uint8Array<ArrayBuffer> }
  | { readonly type: "seal"; readonly job: number; readonly key: string }
  | { readonly type: "release"; readonly job: number }
  | {
    readonly type: "unseal";
    readonly job: number;
    readonly stored: Uint8Array<ArrayBuffer>;
    readonly due: ChunkDue;
  };

export type LaneReply =
  | { readonly type: "identified"; readonly job: number; readonly id: string }
  | {
    readonly type: "sealed";
    readonly job: number;
    readonly sealed: Uint8Array<ArrayBuffer>;
    readonly buffer: ArrayBuffer;
  }
  | { readonly type: "released"; readonly job: number; readonly buffer: ArrayBuffer }
  | { readonly type: "unsealed"; readonly job: number; readonly plain: Uint8Array<ArrayBuffer> }
  | {
    readonly type: "failed";
    readonly job: number;
    readonly code: ErrorCode | undefined;
    readonly reason: string;
    readonly path: string | undefined;
  };

/** Lanes in workers. */
export class WorkerLanes implements Lanes {
  readonly count: number;
  private readonly lanes: WorkerLane[];
  private nextJob = 0;

  /** @param count Workers, at least one. */
  constructor(setup: LaneSetup, count: number) {
    this.count = count;
    this.lanes = Array.from({ length: count }, () => new WorkerLane(setup));
  }

  async identify(plain: Uint8Array<ArrayBuffer>): Promise<IdentifiedChunk> {
    const lane = this.idlest();
    const job = this.nextJob++;
    const { id } = await lane.ask({ type: "identify", job, plain }, "identified", [plain.buffer]);
    return {
      id,
      async seal(key) {
        const { sealed, buffer } = await lane.ask({ type: "seal", job, key }, "sealed");
        return { sealed, buffer: new Uint8Array(buffer) };
      },
      async release() {
        return new Uint8Array((await lane.ask({ type: "release", job }, "released")).buffer);
      },
    };
  }

  async unseal(stored: Uint8Array<ArrayBuffer>, due: ChunkDue): Promise<Uint8Array<ArrayBuffer>> {
    const request = { type: "unseal", job: this.nextJob++, stored, due } as const;
    return (await this.idlest().ask(request, "unsealed", [stored.buffer])).plain;
  }

  close(): void {
    for (const lane of this.lanes) lane.close();
  }

  private idlest(): WorkerLane {
    return this.lanes.reduce((best, lane) => lane.waiting < best.waiting ? lane : best);
  }
}

type Waiting = { resolve: (reply: LaneReply) => void; reject: (error: unknown) => void };

class WorkerLane {
  private readonly worker: Worker;
  private readonly jobs = new Map<number, Waiting>();
  /** Why it does not answer any more. */
  private failure: Error | undefined;

  constructor(setup: LaneSetup) {
    // The name tells the bundle, where every worker starts as the same file, which one it is.
    this.worker = new Worker(laneModule(), { type: "module", name: "chunks" });
    this.worker.onmessage = ({ data }) => this.settle(data as LaneReply);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.failure = new Error(`in a lane: ${event.message}`);
      for (const { reject } of this.jobs.values()) reject(this.failure);
      this.jobs.clear();
    };
    this.worker.postMessage({ type: "setup", setup } satisfies LaneRequest);
  }

  get waiting(): number {
    return this.jobs.size;
  }

  async ask<T extends LaneReply["type"]>(
    request: Exclude<LaneRequest, { type: "setup" }>,
    type: T,
    transfer: ArrayBuffer[] = [],
  ): Promise<Extract<LaneReply, { type: T }>> {
    if (this.failure !== undefined) throw this.failure;
    const reply = await new Promise<LaneReply>((resolve, reject) => {
      this.jobs.set(request.job, { resolve, reject });
      this.worker.postMessage(request, transfer);
    });
    if (reply.type === type) return reply as Extract<LaneReply, { type: T }>;
    if (reply.type === "failed") throw errorOf(reply);
    throw new Error(`a lane answered ${reply.type} where ${type} was due`);
  }

  close(): void {
    this.worker.terminate();
  }

  private settle(reply: LaneReply): void {
    const waiting = this.jobs.get(reply.job);
    this.jobs.delete(reply.job);
    waiting?.resolve(reply);
  }
}

function errorOf({ code, reason, path }: Extract<LaneReply, { type: "failed" }>): Error {
  if (code === undefined) return new Error(`in a lane: ${reason}`);
  return new RegrainError(code, reason, path === undefined ? {} : { path });
}

/** Bundled into one file, that file serves as the worker too. */
function laneModule(): string {
  return import.meta.url.endsWith(".ts")
    ? new URL("../workers/chunk_lane.ts", import.meta.url).href
    : import.meta.url;
}

/** As many lanes as there are processors; this thread, where Deno may not read the module that a worker starts as. */
export function openLanes(setup: LaneSetup): Lanes {
  if (!workersMayStart()) return new DelayedLanes(InlineLanes.open(setup));
  return new WorkerLanes(setup, Math.max(1, navigator.hardwareConcurrency));
}

function workersMayStart(): boolean {
  const url = new URL(laneModule());
  if (Deno.build.standalone || url.protocol !== "file:") return true;
  return Deno.permissions.querySync({ name: "read", path: url }).state === "granted";
}

/** Lanes that are still being opened. */
class DelayedLanes implements Lanes {
  readonly count = 1;

  constructor(private readonly lanes: Promise<Lanes>) {}

  async identify(plain: Uint8Array<ArrayBuffer>): Promise<IdentifiedChunk> {
    return await (await this.lanes).identify(plain);
  }

  async unseal(stored: Uint8Array<ArrayBuffer>, due: ChunkDue): Promise<Uint8Array<ArrayBuffer>> {
    return await (await this.lanes).unseal(stored, due);
  }

  close(): void {}
}
