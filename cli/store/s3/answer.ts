/** A limit on answers that the SDK reads by itself: all but the content of objects, which is read by its due length. */
import type { Readable } from "node:stream";
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { WithMiddleware } from "./checksum.ts";

/** A page of a listing has a thousand keys of 1,024 bytes at most, each byte written with six letters at worst. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const CONTENT_STATUS_END = 300;

interface Answered {
  readonly response?: { statusCode?: number; body?: unknown };
}

/** Answers beyond the limit are an error, and not an allocation. */
export function limitAnswers(client: unknown): void {
  (client as WithMiddleware).middlewareStack.add(
    (next, { commandName }) => async (args) => {
      const answered = await next(args) as Answered;
      const { response } = answered;
      const isContent = commandName === "GetObjectCommand" &&
        (response?.statusCode ?? 0) < CONTENT_STATUS_END;
      if (response === undefined || isContent || !isStream(response.body)) return answered;
      response.body = await readAnswer(response.body);
      return answered;
    },
    // Next to the wire: what comes later has parsed the body already.
    { step: "deserialize", name: "limitAnswers", priority: "low" },
  );
}

function isStream(body: unknown): body is Readable {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

async function readAnswer(body: Readable): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    total += part.length;
    if (total > MAX_ANSWER_BYTES) {
      body.destroy();
      throw new RegrainError(
        "LIMIT_EXCEEDED",
        `the server's answer has more than ${MAX_ANSWER_BYTES} bytes`,
        {
          hint: "no server of S3 answers so: check --endpoint",
        },
      );
    }
    parts.push(part);
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
