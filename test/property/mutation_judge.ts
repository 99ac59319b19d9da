/** Reads a mutant with the real readers and says whether what came out is allowed. */
import { inflatePortable } from "../../core-as/host/inflate.ts";
import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import {
  Batch,
  Disk,
  ERRORS,
  type Inflater,
  judge,
  openChain,
  RegrainError,
  requireMatch,
  requireSound,
  SECTOR_SIZE,
  type Source,
  surveyLink,
} from "../../core-as/host/mod.ts";
import { core, memoryContext } from "../helpers/memory.ts";
import { cpuMs } from "../helpers/tiers.ts";
import { openReference, type ReferenceFiles } from "../helpers/reference.ts";

/** Disks may claim to be huge; this much of their start is compared. */
const WINDOW_BYTES = 24 * 1024 * 1024;
const STEP_BYTES = 1_000_003;
/** No reader has a reason to ask for more at once: the transfer buffer has 4 MiB, descriptors 1 MiB. */
const MAX_READ_BYTES = 8 * 1024 * 1024;
/** Of the processor, for this thread and the other one. */
const MAX_CPU_MS = 2000;
/** What one mutant may allocate, all together: more than it may ever hold. */
const MAX_ALLOCATED_BYTES = 256 * 1024 * 1024;

const inflateNative: Inflater = (packed, maxBytes) => inflateSync(packed, { maxOutputLength: maxBytes });

/** Kept from mutant to mutant, so that the memory of the test is not taken for that of the readers. */
const scratch = { ours: new Uint8Array(WINDOW_BYTES), reference: new Uint8Array(WINDOW_BYTES) };

/** Counts what is allocated as bytes while `run` is at work, and refuses more than {@link MAX_ALLOCATED_BYTES}. */
async function withCountedBytes<T>(run: () => Promise<T>): Promise<T> {
  const original = globalThis.Uint8Array;
  let allocatedBytes = 0;
  globalThis.Uint8Array = new Proxy(original, {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") allocatedBytes += args[0];
      if (allocatedBytes > MAX_ALLOCATED_BYTES) throw new Error(`${allocatedBytes} bytes allocated`);
      return Reflect.construct(target, args, newTarget);
    },
  });
  try {
    return await run();
  } finally {
    globalThis.Uint8Array = original;
  }
}

export type Outcome =
  /** The image is what it was before the damage. */
  | "right"
  /** Refused with a code. */
  | "refused"
  /** Other bytes than before, and no rule of the format is broken. */
  | "undetectable"
  /** Not allowed. */
  | "wrong";

export interface Verdict {
  readonly outcome: Outcome;
  /** Code of the refusal. */
  readonly code?: string;
  /** `wrong`: what is not allowed. `refused`: the sentence. */
  readonly message?: string;
  /** Refused though no rule is broken, or right though one is: which. */
  readonly reference?: string;
  readonly elapsedMs: number;
}

interface Image {
  readonly capacitySectors: number;
  /** The first bytes of it, in a buffer that the next mutant uses too. */
  readonly bytes: Uint8Array;
}

/** Reads and judges one mutant. `portable` takes the unpacker of the page, otherwise that of the command line. */
export async function judgeMutant(
  mutant: { files: ReferenceFiles; leaf: string; expected: Uint8Array },
  options: { portable: boolean },
): Promise<Verdict> {
  const { files, leaf, expected } = mutant;
  const start = performance.now();
  const startCpuMs = cpuMs();
  const found = await withCountedBytes(() => readOurs(files, leaf, options));
  const elapsedMs = performance.now() - start;
  const workedMs = cpuMs() - startCpuMs;
  if (workedMs > MAX_CPU_MS) {
    return { outcome: "wrong", message: `took ${workedMs.toFixed(0)} ms`, elapsedMs };
  }
  if (found instanceof RegrainError) return { ...judgeRefusal(found, files, leaf), elapsedMs };
  if (found instanceof Error) {
    return { outcome: "wrong", message: found.stack ?? String(found), elapsedMs };
  }
  return { ...judgeImage(found, { files, leaf, expected }), elapsedMs };
}

type Judged = Omit<Verdict, "elapsedMs">;

function judgeRefusal(error: RegrainError, files: ReferenceFiles, leaf: string): Judged {
  const { code, reason: message } = error;
  if (!(code in ERRORS)) return { outcome: "wrong", message: `unknown code ${code}` };
  if (!error.path) return { outcome: "wrong", message: `${code} names no file: ${message}` };
  const opened = openReference(files, leaf);
  return { outcome: "refused", code, message, ...(opened.ok && { reference: "no rule is broken" }) };
}

function judgeImage(
  image: Image,
  { files, leaf, expected }: { files: ReferenceFiles; leaf: string; expected: Uint8Array },
): Judged {
  const opened = openReference(files, leaf);
  const sizeBytes = image.capacitySectors * SECTOR_SIZE;
  if (sizeBytes === expected.length && equal(image.bytes, expected)) {
    return { outcome: "right", ...(!opened.ok && { reference: opened.why }) };
  }
  if (!opened.ok) return { outcome: "wrong", message: `damage was accepted: ${opened.why}` };
  const { disk } = opened;
  if (disk.capacitySectors !== image.capacitySectors) {
    return {
      outcome: "wrong",
      message: `a disk of ${image.capacitySectors} sectors, ${disk.capacitySectors} are right`,
    };
  }
  const right = scratch.reference.subarray(0, image.bytes.length);
  disk.readInto(right, 0);
  const at = firstDifference(image.bytes, right);
  return at < 0
    ? { outcome: "undetectable" }
    : { outcome: "wrong", message: `wrong bytes from byte ${at} on` };
}

/** What `apply` and `check` do, and the first bytes of the disk. */
async function readOurs(
  files: ReferenceFiles,
  leaf: string,
  options: { portable: boolean },
): Promise<Image | Error> {
  const plain = memoryContext(files, { inflate: options.portable ? inflatePortable : inflateNative });
  const context = {
    ...plain,
    files: { ...plain.files, open: async (path: string) => limited(await plain.files.open(path)) },
  };
  try {
    const links = await openChain(leaf, context);
    links.slice(1).forEach((parent, i) => requireMatch(judge(links[i]!, parent)));
    for (const link of links) {
      requireSound(await surveyLink(core, link, { overlaps: true }), { force: false });
    }
    const disk = new Disk(core, links);
    const bytes = scratch.ours.subarray(0, Math.min(disk.sizeBytes, WINDOW_BYTES));
    await readInto(disk, bytes.fill(0x5a));
    return { capacitySectors: disk.capacitySectors, bytes };
  } catch (error) {
    return error instanceof Error ? error : new Error(`thrown: ${error}`);
  }
}

async function readInto(disk: Disk, bytes: Uint8Array): Promise<void> {
  const batch = new Batch();
  for (let at = 0; at < bytes.length; at += STEP_BYTES) {
    batch.clear();
    batch.add({ offsetBytes: at, lengthBytes: Math.min(STEP_BYTES, bytes.length - at), at });
    await disk.read(batch, bytes);
  }
}

/** A source that takes no absurd request: what is asked for was allocated before. */
function limited(source: Source): Source {
  return {
    path: source.path,
    sizeBytes: source.sizeBytes,
    read(batch, buffer) {
      for (let i = 0; i < batch.count; i++) {
        const lengthBytes = batch.lengthBytes[i]!;
        const isSane = Number.isSafeInteger(batch.offsetBytes[i]) && batch.offsetBytes[i]! >= 0 &&
          lengthBytes >= 0 && lengthBytes <= MAX_READ_BYTES;
        if (!isSane) throw new Error(`a request for ${lengthBytes} bytes at byte ${batch.offsetBytes[i]}`);
      }
      return source.read(batch, buffer);
    },
    close: () => source.close(),
  };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b.subarray(0, a.length)) === 0;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (equal(a, b)) return -1;
  let at = 0;
  while (a[at] === b[at]) at++;
  return at;
}
