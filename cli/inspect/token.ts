/** Secrets in an address: who does not know one gets nothing. */
import { timingSafeEqual } from "node:crypto";

/** 256 bits. */
const TOKEN_BYTES = 32;

const encoder = new TextEncoder();

/** A new secret, in letters that an address may hold as they are. */
export function newToken(): string {
  return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Whether `given` is the secret; how long that takes tells nothing of where they differ. */
export function isToken(given: string, token: string): boolean {
  const [a, b] = [encoder.encode(given), encoder.encode(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
