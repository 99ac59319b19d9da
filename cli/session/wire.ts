/** What may be sent over a wire that others can read and change. */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { StoreFlags } from "../store/flags.ts";
import { type AddressWords, FIRST_STORE } from "../store/refusal.ts";
import { findStore } from "../store/registry.ts";
import type { Console } from "../ui/mod.ts";

/**
 * Warns of `http://` to another machine, and refuses it for a repository that is not encrypted, unless a flag says that
 * it is meant. What is not in a bucket goes over no wire of ours.
 *
 * @throws {RegrainError} `USAGE`.
 */
export function guardWire(
  address: string,
  flags: Pick<StoreFlags, "endpoint" | "allowHttp">,
  of: { isEncrypted: boolean; console: Console; words?: AddressWords },
): void {
  const { words = FIRST_STORE } = of;
  const host = findStore(address, words).exposedHost(flags);
  if (host === undefined) return;
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
      `use https://, or repo init --encrypt; ${
        words.flag("--allow-http")
      } sends every disk so that who can read the wire has it, and ` +
      "takes disks that they changed",
  });
}
