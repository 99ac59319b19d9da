/**
 * The page as it is served.
 *
 * The page as it is built has one `<meta http-equiv="Content-Security-Policy">` whose content has `connect-src 'none'`,
 * and one `<script type="application/json" id="served">null</script>`. Served, the page may ask this server
 * (`connect-src 'self'`) and nobody else, and the script holds a {@link Served}.
 */

import type { ImageFormat } from "../../core-as/host/mod.ts";

/** A file that can be asked for. */
export interface ServedImage {
  /** Its name without a folder, as descriptors name it. */
  readonly name: string;
  /**
   * Where it is, from `files/` on: a number for its folder, and its name in letters that need no encoding. No two files
   * that are served have the same.
   */
  readonly path: string;
  readonly sizeBytes: number;
  /** When it was changed last, in milliseconds since 1970; null where that may not be asked. */
  readonly modifiedMs: number | null;
  /** What it is, where its name does not say so: by `--format`, or since it is a block device. */
  readonly format?: ImageFormat;
}

/** A repository whose objects can be asked for, below `repository/`. */
export interface ServedRepository {
  /** How messages name it. */
  readonly label: string;
  /** Ids of the snapshots that the user named: the first is to be opened, and compared with the second. */
  readonly open: readonly string[];
}

/** What the page is told about its server. */
export interface Served {
  readonly images: readonly ServedImage[];
  /** Those that the user named, by their names; by path where several have one name. */
  readonly open: readonly string[];
  readonly repository?: ServedRepository;
}

/** A page with the policy that is sent along as a header too. */
export interface ServedPage {
  readonly html: string;
  readonly policy: string;
}

const POLICY = /(<meta http-equiv="Content-Security-Policy" content=")([^"]*)("\s*\/?>)/g;
const SERVED = /(<script type="application\/json" id="served">)null(<\/script>)/g;

/** @param built The page as it was built. */
export function servePage(built: string, served: Served): ServedPage {
  const { before, found: meta, after } = splitAtOnly(built, POLICY);
  const policy = meta[2]!.replace("connect-src 'none'", "connect-src 'self'");
  if (policy === meta[2]) throw new Error("the policy of the page does not say connect-src 'none'");
  const open = `${before}${meta[1]}${policy}${meta[3]}${after}`;
  const script = splitAtOnly(open, SERVED);
  const html = `${script.before}${script.found[1]}${scriptJson(served)}${script.found[2]}${script.after}`;
  return { html, policy: policy.replace(/\s+/g, " ") };
}

/** JSON that no file name in it can end the element with, or begin a comment. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Splits a text where a pattern is found, which must be exactly once: a page that was built otherwise is a bug. */
function splitAtOnly(
  text: string,
  pattern: RegExp,
): { before: string; found: RegExpExecArray; after: string } {
  const [found, ...more] = text.matchAll(pattern);
  if (found === undefined || more.length > 0) {
    throw new Error(`the page has ${more.length + (found ? 1 : 0)} of ${pattern.source}, expected one`);
  }
  const end = found.index + found[0].length;
  return { before: text.slice(0, found.index), found, after: text.slice(end) };
}
