/**
 * A page that sends the browser on to an address.
 *
 * Every user of a machine can read what a program is started with, so the browser is started with the name of this
 * page, and only the user can read the page. The folder is private as well: nobody else can put a page in its place.
 */
import { pathToFileURL } from "node:url";
import { isAbsent } from "../deno_errors.ts";

export interface OpeningPage extends Disposable {
  readonly url: string;
}

/**
 * Writes the page into a folder of its own.
 *
 * @param address Of letters that HTML leaves alone.
 * @throws what Deno throws when it may not, or cannot, write where temporary files go.
 */
export function writeOpeningPage(address: string): OpeningPage {
  const folder = Deno.makeTempDirSync({ prefix: "regrain-inspect-" });
  const path = `${folder}/open.html`;
  Deno.writeTextFileSync(path, pageTo(address), { createNew: true, mode: 0o600 });
  return { url: pathToFileURL(path).href, [Symbol.dispose]: () => removeFolder(folder) };
}

/** A page that leads to `address` without a script, and leaves no entry of its own in the browser's history. */
export function pageTo(address: string): string {
  return `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="referrer" content="no-referrer">` +
    `<meta http-equiv="refresh" content="0; url=${address}"><title>regrain inspector</title>` +
    `<a href="${address}">regrain inspector</a></html>\n`;
}

function removeFolder(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    // What cleans temporary files up was faster.
    if (!isAbsent(error)) throw error;
  }
}
