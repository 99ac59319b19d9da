/** A lane of a backup or a restore: a worker that hashes, packs and encrypts chunks, and the way back. */
import { RegrainError } from "../../core-as/host/errors.ts";
import { ChunkWork, type LaneReply, type LaneRequest } from "../backup/lanes.ts";

/** What a worker's global scope has and the main one has not. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<LaneRequest>) => void) | null;
  postMessage(reply: LaneReply, transfer: ArrayBuffer[]): void;
}

/** Makes this thread a lane. Requests are worked on in the order they come. */
export function serveChunkLane(): void {
  const scope = globalThis as unknown as WorkerScope;
  const held = new Map<number, Uint8Array<ArrayBuffer>>();
  let work: Promise<ChunkWork> | undefined;
  let last: Promise<void> = Promise.resolve();
  scope.onmessage = ({ data }) => {
    if (data.type === "setup") {
      work = ChunkWork.create(data.setup);
      return;
    }
    last = last.then(async () => {
      const { reply, transfer } = await answer(data, { work: await work!, held });
      scope.postMessage(reply, transfer);
    });
  };
}

interface Answer {
  readonly reply: LaneReply;
  readonly transfer: ArrayBuffer[];
}

async function answer(
  request: Exclude<LaneRequest, { type: "setup" }>,
  means: { work: ChunkWork; held: Map<number, Uint8Array<ArrayBuffer>> },
): Promise<Answer> {
  try {
    return await carryOut(request, means);
  } catch (error) {
    const known = error instanceof RegrainError;
    const reason = known
      ? error.reason
      : error instanceof Error
      ? error.stack ?? error.message
      : String(error);
    const { job } = request;
    const [code, path] = known ? [error.code, error.path] : [undefined, undefined];
    return { reply: { type: "failed", job, code, reason, path }, transfer: [] };
  }
}

async function carryOut(
  request: Exclude<LaneRequest, { type: "setup" }>,
  { work, held }: { work: ChunkWork; held: Map<number, Uint8Array<ArrayBuffer>> },
): Promise<Answer> {
  const { job } = request;
  switch (request.type) {
    case "identify":
      held.set(job, request.plain);
      return { reply: { type: "identified", job, id: work.identify(request.plain) }, transfer: [] };
    case "seal": {
      const plain = held.get(job)!;
      held.delete(job);
      const sealed = await work.seal(plain, request.key);
      const { buffer } = plain;
      return { reply: { type: "sealed", job, sealed, buffer }, transfer: [sealed.buffer, buffer] };
    }
    case "release": {
      const { buffer } = held.get(job)!;
      held.delete(job);
      return { reply: { type: "released", job, buffer }, transfer: [buffer] };
    }
    case "unseal": {
      const plain = await work.unseal(request.stored, request.due);
      // It came to stay; the collector of garbage would come for it late.
      request.stored.buffer.transfer(0);
      return { reply: { type: "unsealed", job, plain }, transfer: [plain.buffer] };
    }
  }
}

if (import.meta.url.endsWith("/workers/chunk_lane.ts") && "WorkerGlobalScope" in globalThis) {
  serveChunkLane();
}
