/** What may be sent over a wire that others can read and change. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { exposedHost } from "../store/s3/endpoint.ts";
import type { Console } from "../ui/mod.ts";

/** Where a repository is, as far as it matters here. */
export interface WireFlags {
  readonly endpoint?: string | undefined;
  readonly allowHttp?: boolean | undefined;
}

/**
 * Warns of `http://` to another machine, and refuses it for a repository that is not encrypted, unless a flag says that
 * it is meant. What is not in a bucket goes over no wire of ours.
 *
 * @throws {RegrainError} `USAGE`.
 */
export function guardWire(
  address: string,
  flags: WireFlags,
  of: { isEncrypted: boolean; console: Console; flag?: string },
): void {
  const host = address.startsWith("s3://") ? exposedHost(flags.endpoint) : undefined;
  if (host === undefined) return;
  const { flag = "--allow-http" } = of;
  if (of.isEncrypted || flags.allowHttp) {
    const what = of.isEncrypted ? "what is backed up, and when," : "every disk";
    of.console.warn(
      `http://${host} is not encrypted: who can read the wire sees ${what} and can change answers`,
    );
    return;
  }
  throw new RegrainError("USAGE", `http://${host} is not encrypted, and neither is the repository`, {
    path: address,
    hint:
      `use https://, or repo init --encrypt; ${flag} sends every disk so that who can read the wire has it, and ` +
      "takes disks that they changed",
  });
}
