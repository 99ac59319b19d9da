/** A lane of a backup or a restore: it hashes, packs and encrypts chunks, and the way back. */
import { type ChunkJobs, ChunkWork } from "../backup/lanes.ts";
import { serve } from "../lanes/serve.ts";

/** Makes this thread a lane of chunks. */
export function serveChunks(): void {
  const held = new Map<number, Uint8Array<ArrayBuffer>>();
  let work: ChunkWork | undefined;
  const ready = () => {
    if (work === undefined) throw new Error("a lane was asked for chunks before it was set up");
    return work;
  };
  serve<ChunkJobs>({
    async setup(setup) {
      work = await ChunkWork.create(setup);
      return { result: undefined };
    },
    identify({ ticket, plain }) {
      held.set(ticket, plain);
      return Promise.resolve({ result: ready().identify(plain) });
    },
    async seal({ ticket, key }) {
      const plain = taken(held, ticket);
      const sealed = await ready().seal(plain, key);
      const { buffer } = plain;
      return { result: { sealed, buffer }, transfer: [sealed.buffer, buffer] };
    },
    release({ ticket }) {
      const { buffer } = taken(held, ticket);
      return Promise.resolve({ result: buffer, transfer: [buffer] });
    },
    async unseal({ stored, due }) {
      const plain = await ready().unseal(stored, due);
      // It came to stay; the collector of garbage would come for it late.
      stored.buffer.transfer(0);
      return { result: plain, transfer: [plain.buffer] };
    },
  });
}

function taken(held: Map<number, Uint8Array<ArrayBuffer>>, ticket: number): Uint8Array<ArrayBuffer> {
  const plain = held.get(ticket);
  held.delete(ticket);
  if (plain === undefined) throw new Error("a lane was asked for a chunk that it does not hold");
  return plain;
}
