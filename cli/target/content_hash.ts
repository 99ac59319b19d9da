/** Hashes by which content is known again. */
import { readBytes, type Source } from "../../core-as/host/mod.ts";

/** @returns 64 hexadecimal digits. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  // Loading it costs every other run its time.
  const { createHash } = await import("node:crypto");
  return createHash("sha256").update(bytes).digest("hex");
}

/** @returns 16 hexadecimal digits: enough to know content again, where nobody gains by a collision. */
export async function contentHash(bytes: Uint8Array): Promise<string> {
  return (await sha256Hex(bytes)).slice(0, 16);
}

/** {@link contentHash} of a stretch of a disk. */
export async function hashStretch(
  source: Source,
  { offsetBytes, lengthBytes }: { offsetBytes: number; lengthBytes: number },
): Promise<string> {
  return await contentHash(await readBytes(source, offsetBytes, lengthBytes));
}
