/**
 * Answers with bytes of a file.
 *
 * An answer never mixes two states of a file: whether it is still the same is looked at before the last bytes leave,
 * and an answer that is under way by then breaks off.
 */
import { cutText, escapeToLine, readBytes, RegrainError } from "../../core-as/host/mod.ts";
import type { Asked } from "./gate.ts";
import { parseRange, passesIfMatch, passesIfRange } from "./ranges.ts";
import type { OpenedFile, ServedFile, ServedFiles } from "./served_files.ts";

/** What is read and handed on at once: small enough to keep memory flat, large enough for devices to be fast. */
export const PIECE_BYTES = 256 * 1024;

const MOST_OF_LINE = 4096;

/** An answer of one line of text. */
export function textAnswer(status: number, line: string, headers: Record<string, string> = {}): Response {
  const text = `${escapeToLine(cutText(line, MOST_OF_LINE))}\n`;
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers } });
}

/** Answers GET and HEAD for a file; what goes wrong with it is told in one line of text. */
export async function answerFile(file: ServedFile, asked: Asked, files: ServedFiles): Promise<Response> {
  try {
    const opened = files.open(file);
    try {
      return await answerOpened({ file, files, opened }, asked);
    } catch (error) {
      opened.source.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof RegrainError) return failedAnswer(file, error);
    throw error;
  }
}

/** A file with all that its bytes are taken from. Whoever has it closes it. */
interface Opened {
  readonly file: ServedFile;
  readonly files: ServedFiles;
  readonly opened: OpenedFile;
}

async function answerOpened(from: Opened, { method, headers }: Asked): Promise<Response> {
  const { source, state: { sizeBytes, etag } } = from.opened;
  const closed = (answer: Response) => {
    source.close();
    return answer;
  };
  if (!passesIfMatch(headers.get("if-match"), etag)) return closed(changedAnswer(from.file));
  const facts = { "accept-ranges": "bytes", "content-type": "application/octet-stream", etag };
  const size = (bytes: number) => ({ "content-length": String(bytes) });
  // A range counts for GET alone (RFC 9110, 14.2).
  if (method === "HEAD") return closed(new Response(null, { headers: { ...facts, ...size(sizeBytes) } }));
  const counts = passesIfRange(headers.get("if-range"), etag);
  const wanted = parseRange(counts ? headers.get("range") : null, sizeBytes);
  if (wanted.kind === "refused") return closed(textAnswer(400, wanted.reason));
  if (wanted.kind === "beyond") {
    const line = `${from.file.name} ends before that: it has ${sizeBytes} bytes`;
    return closed(textAnswer(416, line, { "content-range": `bytes */${sizeBytes}` }));
  }
  if (wanted.kind === "whole") {
    const body = await bodyOf(from, { fromBytes: 0, toBytes: sizeBytes });
    return new Response(body, { headers: { ...facts, ...size(sizeBytes) } });
  }
  const { fromBytes, toBytes } = wanted;
  const range = { "content-range": `bytes ${fromBytes}-${toBytes - 1}/${sizeBytes}` };
  const body = await bodyOf(from, wanted);
  return new Response(body, { status: 206, headers: { ...facts, ...range, ...size(toBytes - fromBytes) } });
}

interface Stretch {
  readonly fromBytes: number;
  readonly toBytes: number;
}

/** The first piece is read before anything is answered, so that what goes wrong with it has a status of its own. */
async function bodyOf(from: Opened, { fromBytes, toBytes }: Stretch): Promise<BodyInit> {
  const first = await readPiece(from, { fromBytes, toBytes });
  let at = fromBytes + first.length;
  if (at === toBytes) {
    from.opened.source.close();
    return first;
  }
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => controller.enqueue(first),
    // Called when the connection has taken what there was: nothing is read ahead of it.
    pull: async (controller) => {
      const piece = await readPiece(from, { fromBytes: at, toBytes });
      controller.enqueue(piece);
      at += piece.length;
      if (at < toBytes) return;
      from.opened.source.close();
      controller.close();
    },
    cancel: () => from.opened.source.close(),
  }, { highWaterMark: 0 });
}

async function readPiece(from: Opened, { fromBytes, toBytes }: Stretch): Promise<Uint8Array<ArrayBuffer>> {
  const { file, files, opened: { source, state } } = from;
  try {
    const piece = await readBytes(source, fromBytes, Math.min(PIECE_BYTES, toBytes - fromBytes));
    const isLast = fromBytes + piece.length === toBytes;
    if (!isLast || files.isUnchanged(file, state)) return piece;
    throw new RegrainError("READ_SHORT", "it changed while it was read", { path: file.realPath });
  } catch (error) {
    source.close();
    throw error;
  }
}

function failedAnswer(file: ServedFile, { code, reason }: RegrainError): Response {
  if (code === "READ_SHORT") return changedAnswer(file);
  const isGone = code === "NOT_FOUND" || code === "NOT_A_DISK";
  if (isGone) return textAnswer(410, `${file.name} is not there any more`);
  return textAnswer(500, `${file.name}: ${reason}`);
}

function changedAnswer({ name }: ServedFile): Response {
  return textAnswer(412, `${name} changed while it was served`);
}
