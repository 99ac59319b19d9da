/** Checks the signature of a request to S3 (AWS Signature Version 4, in a header). */
import { createHash, createHmac } from "node:crypto";
import type { WireRequest } from "./http_wire.ts";

export interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** As far as a client's clock may be off. */
const MAX_SKEW_MS = 15 * 60 * 1000;

/** @returns The S3 error code of what is wrong, or `undefined`. */
export function refusalOf(
  request: WireRequest,
  { keys, nowMs }: { keys: Keys; nowMs: number },
): string | undefined {
  const { headers, body } = request;
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w{64})$/;
  const [, accessKey, scope, names, signature] = pattern.exec(headers.get("authorization") ?? "") ?? [];
  if (signature === undefined) return "AccessDenied";
  if (accessKey !== keys.accessKey) return "InvalidAccessKeyId";
  if (Math.abs(timeOf(headers.get("x-amz-date") ?? "") - nowMs) > MAX_SKEW_MS) return "RequestTimeTooSkewed";
  if (
    signatureOf(request, { scope: scope!, names: names!.split(";"), secretKey: keys.secretKey }) !== signature
  ) {
    return "SignatureDoesNotMatch";
  }
  const claimed = headers.get("x-amz-content-sha256");
  return claimed === "UNSIGNED-PAYLOAD" || claimed === sha256(body) ? undefined : "XAmzContentSHA256Mismatch";
}

function signatureOf(
  { method, path, query, headers }: WireRequest,
  { scope, names, secretKey }: { scope: string; names: readonly string[]; secretKey: string },
): string {
  const parameters = query === ""
    ? []
    : query.split("&").map((each) => each.includes("=") ? each : `${each}=`);
  const canonical = [
    method,
    path,
    parameters.sort().join("&"),
    ...names.map((name) => `${name}:${headers.get(name) ?? ""}`),
    "",
    names.join(";"),
    headers.get("x-amz-content-sha256") ?? "",
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", headers.get("x-amz-date"), scope, sha256(canonical)].join("\n");
  let key: string | Uint8Array = `AWS4${secretKey}`;
  for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
  return createHmac("sha256", key).update(text).digest("hex");
}

/** `20261121T080000Z`. */
function timeOf(text: string): number {
  return Date.parse(text.replace(/^(....)(..)(..T..)(..)(..Z)$/, "$1-$2-$3:$4:$5"));
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
