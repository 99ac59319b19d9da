/** Opens a page in the browser of the user. */
import { childCommand } from "../child.ts";
import { isAbsent } from "../deno_errors.ts";

/** The program that each system has for it. */
const OPENERS: Partial<Record<typeof Deno.build.os, readonly [program: string, ...args: string[]]>> = {
  darwin: ["open"],
  windows: ["rundll32", "url.dll,FileProtocolHandler"],
};
const OTHER_OPENER = ["xdg-open"] as const;

/**
 * Starts the browser and does not wait for it.
 *
 * @param url No secret: every user of the machine can read what a program is started with.
 * @param onFailure Told in a few words why that did not work, now or later.
 */
export function openBrowser(url: string, onFailure: (reason: string) => void): void {
  const [program, ...args] = OPENERS[Deno.build.os] ?? OTHER_OPENER;
  if (Deno.permissions.querySync({ name: "run", command: program }).state !== "granted") {
    return onFailure(`Deno was not told to allow ${program} (grant --allow-run=${program})`);
  }
  try {
    const child = childCommand(program, {
      purpose: "browser",
      args: [...args, url],
      stdout: "null",
      stderr: "null",
      // Else Ctrl-C here would end a browser that was started there.
      detached: true,
    }).spawn();
    child.unref();
    child.status.then(({ success, code }) => {
      if (!success) onFailure(`${program} ended with ${code}`);
    });
  } catch (error) {
    if (!isAbsent(error)) throw error;
    onFailure(`there is no ${program} here`);
  }
}
