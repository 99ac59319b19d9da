/**
 * What costs time in a backup and a restore (hashing, packing, encrypting chunks, and the way back) is done in lanes:
 * workers, one a processor, or this thread where there is little to do. Main reads and stores; buffers travel, they
 * are not copied.
 */
import { createHash, createHmac } from "node:crypto";
import { type Codec, RepositoryKeys, unseal } from "../../core-as/host/repo/mod.ts";
import { MIB } from "../../core-as/host/units.ts";
import { Lane } from "../lanes/lane.ts";
import { startWorker, workersMayStart } from "../lanes/start.ts";
import { nativeCodec } from "./codec.ts";

const MUCH_WORK_BYTES = 256 * MIB;

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

/** What is asked of a worker. A ticket names a chunk that the worker holds once it has identified it. */
export type ChunkJobs = {
  setup: { readonly request: LaneSetup; readonly result: undefined };
  identify: {
    readonly request: { readonly ticket: number; readonly plain: Uint8Array<ArrayBuffer> };
    readonly result: string;
  };
  seal: {
    readonly request: { readonly ticket: number; readonly key: string };
    readonly result: { readonly sealed: Uint8Array<ArrayBuffer>; readonly buffer: ArrayBuffer };
  };
  release: { readonly request: { readonly ticket: number }; readonly result: ArrayBuffer };
  unseal: {
    readonly request: { readonly stored: Uint8Array<ArrayBuffer>; readonly due: ChunkDue };
    readonly result: Uint8Array<ArrayBuffer>;
  };
};

/** Lanes in workers. */
export class WorkerLanes implements Lanes {
  readonly count: number;
  private readonly lanes: ChunkLane[];
  private nextTicket = 0;

  /** @param count Workers, at least one. */
  constructor(setup: LaneSetup, count: number) {
    this.count = count;
    this.lanes = Array.from({ length: count }, () => new ChunkLane(setup));
  }

  async identify(plain: Uint8Array<ArrayBuffer>): Promise<IdentifiedChunk> {
    const lane = this.idlest();
    const ticket = this.nextTicket++;
    const id = await lane.ask("identify", { ticket, plain }, [plain.buffer]);
    return {
      id,
      async seal(key) {
        const { sealed, buffer } = await lane.ask("seal", { ticket, key });
        return { sealed, buffer: new Uint8Array(buffer) };
      },
      release: async () => new Uint8Array(await lane.ask("release", { ticket })),
    };
  }

  unseal(stored: Uint8Array<ArrayBuffer>, due: ChunkDue): Promise<Uint8Array<ArrayBuffer>> {
    return this.idlest().ask("unseal", { stored, due }, [stored.buffer]);
  }

  /** Starts all threads, which start one by one otherwise: when a job comes and all that run have some. */
  start(): void {
    for (const lane of this.lanes) lane.start();
  }

  close(): void {
    for (const lane of this.lanes) lane.close();
  }

  private idlest(): ChunkLane {
    return this.lanes.reduce((best, lane) => lane.waiting < best.waiting ? lane : best);
  }
}

/** A lane that knows the repository before it is asked for anything else. */
class ChunkLane extends Lane<ChunkJobs> {
  private isSetUp = false;

  constructor(private readonly setup: LaneSetup) {
    super("chunks", () => startWorker("chunks"));
  }

  override start(): void {
    if (this.isSetUp) return;
    this.isSetUp = true;
    super.start();
    // What could not be set up fails every job.
    this.ask("setup", this.setup).catch((error: unknown) => this.fail(error));
  }
}

/**
 * As many lanes as there are processors; this thread, where Deno may not read the module that a worker starts as.
 *
 * @param workBytes How much there may be to do: with much the threads start at once, else each when it is needed, since
 * to start one takes as long as to pack 16 MiB.
 */
export function openLanes(setup: LaneSetup, workBytes = 0): Lanes {
  if (!workersMayStart()) return new DelayedLanes(InlineLanes.open(setup));
  const lanes = new WorkerLanes(setup, Math.max(1, navigator.hardwareConcurrency));
  if (workBytes >= MUCH_WORK_BYTES) lanes.start();
  return lanes;
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
