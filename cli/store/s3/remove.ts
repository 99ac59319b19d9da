/** Removing many objects: by the thousand where the server takes that, else one by one. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { Ask } from "./request.ts";
import type { Connected } from "./client.ts";
import { codeOf, isAbsence, isUnable } from "./failure.ts";

export interface Removal {
  readonly connected: Connected;
  readonly bucket: string;
  readonly root: string;
  readonly batches: boolean;
  readonly pathOf: (key: string) => string;
  readonly ask: Ask;
  /** The server turned out not to take batches. */
  readonly onNoBatches: () => void;
}

/** The most that S3 takes. */
const BATCH_KEYS = 1000;
/** How servers refuse a batch that is good: no such request there, or another checksum wanted than the SDK's. */
const BATCH_REFUSED = new Set(["MalformedXML", "InvalidRequest", "MissingContentMD5", "InvalidDigest"]);

export async function removeKeys(keys: readonly string[], removal: Removal): Promise<void> {
  let { batches } = removal;
  for (let first = 0; first < keys.length; first += BATCH_KEYS) {
    const batch = keys.slice(first, first + BATCH_KEYS);
    if (batches && batch.length > 1 && await removeBatch(batch, removal)) continue;
    if (batch.length > 1) batches = false;
    await Promise.all(batch.map((key) => removeOne(key, removal)));
  }
}

/** @returns Whether the server takes batches. */
async function removeBatch(keys: readonly string[], removal: Removal): Promise<boolean> {
  const { ask, onNoBatches } = removal;
  let left = keys;
  try {
    await ask({ key: keys[0]!, operation: "remove" }, async (signal) => {
      left = await sendBatch(left, { removal, signal });
    });
    return true;
  } catch (error) {
    const cause = error instanceof RegrainError ? error.cause : error;
    if (!isUnable(cause) && !BATCH_REFUSED.has(codeOf(cause))) throw error;
    onNoBatches();
    return false;
  }
}

/** @throws What the server says of the first object that stands. */
async function sendBatch(
  keys: readonly string[],
  { removal, signal }: { removal: Removal; signal: AbortSignal },
): Promise<readonly string[]> {
  const { connected: { sdk, client }, bucket, root, pathOf } = removal;
  const Objects = keys.map((key) => ({ Key: root + key }));
  const command = new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } });
  const { Errors = [] } = await client.send(command, { abortSignal: signal });
  const standing = Errors.find(({ Code }) => Code !== "NoSuchKey");
  if (standing === undefined) return [];
  const key = standing.Key?.slice(root.length) ?? keys[0]!;
  const Code = standing.Code ?? "";
  if (Code === "AccessDenied") {
    throw new RegrainError("STORE_DENIED", "the store does not let it be removed (AccessDenied)", {
      path: pathOf(key),
      hint: "it may be locked until a date, or the credentials lack s3:DeleteObject",
    });
  }
  throw Object.assign(new Error(standing.Message ?? ""), { name: Code, $metadata: { httpStatusCode: 200 } });
}

async function removeOne(
  key: string,
  { connected: { sdk, client }, bucket, root, ask }: Removal,
): Promise<void> {
  try {
    await ask(
      { key, operation: "remove" },
      (signal) =>
        client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: root + key }), {
          abortSignal: signal,
        }),
    );
  } catch (error) {
    if (error instanceof RegrainError && isAbsence(error.cause)) return;
    throw error;
  }
}
