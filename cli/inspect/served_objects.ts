/**
 * The objects of a repository that are served: those that the page reads, by their keys and nothing else. Slots of keys
 * are not among them.
 */
import { RegrainError } from "../../core-as/host/mod.ts";
import {
  DESCRIPTION_KEY,
  MAX_CHUNK_BYTES,
  MAX_MANIFEST_BYTES,
  type ObjectReader,
  parseContentKey,
  parseContentStem,
  parseSnapshotKey,
} from "../../core-as/host/repo/mod.ts";
import { textAnswer } from "./file_answer.ts";
import type { Asked } from "./gate.ts";
import type { ServedRepository } from "./page.ts";
import { parseRange } from "./ranges.ts";

/** Nothing that is served is larger; zstd and encryption add a little to a chunk. */
const MAX_OBJECT_BYTES = Math.max(MAX_MANIFEST_BYTES, MAX_CHUNK_BYTES + 1024 * 1024);
const MARK = /^damaged\/(.*)\.json$/;
/** Prefixes that may be listed: manifests, marks, and the generations of one chunk or page. */
const LISTED = /^(?:snaps\/|damaged\/|(?:chunks|maps)\/[0-9a-f]{2}\/[0-9a-f]{64})$/;

export class ServedObjects {
  /** @param open Ids of the snapshots that the user named. */
  constructor(private readonly store: ObjectReader, private readonly open: readonly string[]) {}

  describe(): ServedRepository {
    return { label: this.store.label, open: this.open };
  }

  /**
   * Answers GET and HEAD.
   *
   * @param path As an address has it, from `object/` or `list/` on; neither decoded nor tidied.
   * @returns `undefined` for what is not served, or is not there.
   */
  async answer(path: string, asked: Asked): Promise<Response | undefined> {
    const [, what, key] = /^(object|list)\/(.*)$/s.exec(path) ?? [];
    if (key === undefined) return undefined;
    try {
      if (what === "list") return LISTED.test(key) ? await this.answerList(key, asked) : undefined;
      return isServed(key) ? await this.answerObject(key, asked) : undefined;
    } catch (error) {
      if (error instanceof RegrainError) return textAnswer(502, error.message);
      throw error;
    }
  }

  private async answerObject(key: string, { method, headers }: Asked): Promise<Response | undefined> {
    const bytes = await this.store.get(key, MAX_OBJECT_BYTES);
    if (bytes === undefined) return undefined;
    const facts = { "accept-ranges": "bytes", "content-type": "application/octet-stream" };
    if (method === "HEAD") return whole(null, { ...facts, "content-length": String(bytes.length) });
    const wanted = parseRange(headers.get("range"), bytes.length);
    if (wanted.kind === "refused") return textAnswer(400, wanted.reason);
    if (wanted.kind === "beyond") {
      const line = `${key} ends before that: it has ${bytes.length} bytes`;
      return textAnswer(416, line, { "content-range": `bytes */${bytes.length}` });
    }
    if (wanted.kind === "whole") return whole(bytes, facts);
    const { fromBytes, toBytes } = wanted;
    const range = { "content-range": `bytes ${fromBytes}-${toBytes - 1}/${bytes.length}` };
    return new Response(bytes.subarray(fromBytes, toBytes), { status: 206, headers: { ...facts, ...range } });
  }

  private async answerList(prefix: string, { method }: Asked): Promise<Response> {
    const found = [];
    for await (const info of this.store.list(prefix)) if (isServed(info.key)) found.push(info);
    return whole(method === "HEAD" ? null : JSON.stringify(found), { "content-type": "application/json" });
  }
}

function whole(body: BodyInit | null, headers: Record<string, string>): Response {
  return new Response(body, { headers });
}

/** Whether a key is one of those that the page reads. */
export function isServed(key: string): boolean {
  if (key === DESCRIPTION_KEY) return true;
  if (parseContentKey(key) !== undefined || parseSnapshotKey(key) !== undefined) return true;
  return parseContentStem(MARK.exec(key)?.[1] ?? "") !== undefined;
}
