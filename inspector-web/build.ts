/// <reference lib="deno.ns" />
/**
 * Builds the page: `deno task inspector`. One file holds everything: the script of the page, that of its worker as text
 * (a page of `file://` may start a worker from a blob only), the kernels, the style. All are packed, and a few lines of
 * the template unpack them. The result is deterministic; a test compares it with the committed file.
 *
 * Its policy lets no script run but that of the template and that of the page, by their hashes, and what they make a
 * blob of. Markup that gets into the page cannot become a script.
 *
 * There are two of them: one that shows disks, and the same with zstd in it, nearly twice as large, which shows backup
 * repositories, too. There zstd stays packed text until a repository is opened.
 */
import { fileURLToPath } from "node:url";
import { deflateAsync } from "@gfx/zopfli";
import { decode85, encode85 } from "./base85.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** Most that each page may weigh: hashes of its scripts, which do not pack, have their place in it. */
const PAGES = { inspector: 164 * 1000, "inspector-repository": 280 * 1000 };

/** The pages by their names. */
export type Pages = Readonly<Record<keyof typeof PAGES, string>>;

/** Makes the pages from their sources, and returns them. */
export async function buildPages(): Promise<Pages> {
  const [template, style, wasm, worker, page, zstd, zstdWasm] = await Promise.all([
    Deno.readTextFile(`${HERE}template.html`).then(withoutLayout),
    Deno.readTextFile(`${HERE}page/style.css`),
    Deno.readFile(`${HERE}../core-as/core.wasm`),
    bundle("worker/main.ts").then(pack),
    bundle("page/main.tsx"),
    bundle("zstd/main.ts", "esm").then(asScript).then(pack),
    Deno.readFile(new URL("zstd.wasm", import.meta.resolve("@bokuweb/zstd-wasm"))).then(pack),
  ]);
  const [packedStyle, packedWasm, packedPage] = await Promise.all([inlineStyle(style), wasm, page].map(pack));
  const decode = decode85.toString();
  const scripts = await Promise.all(
    [loaderOf(template).replace("{{decode}}", () => decode), page].map(hashSource),
  );
  const packed = { decode, style: packedStyle!, wasm: packedWasm!, worker, page: packedPage! };
  const parts = { ...packed, scripts: scripts.join(" ") };
  return {
    "inspector": fillTemplate(template, { ...parts, zstd: "", zstdWasm: "" }),
    "inspector-repository": fillTemplate(template, { ...parts, zstd, zstdWasm }),
  };
}

/** The script of the template that unpacks the others: all that stands in its element, as browsers hash it. */
function loaderOf(template: string): string {
  const found = [...template.matchAll(/<script>([^]*?)<\/script>/g)];
  if (found.length !== 1) {
    throw new Error(`the template has ${found.length} scripts of its own, expected one`);
  }
  return found[0]![1]!;
}

/** A script as a policy names it by its content. */
export async function hashSource(script: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script));
  return `'sha256-${new Uint8Array(digest).toBase64()}'`;
}

/**
 * A module without imports and exports as a script whose names nobody else sees. What it would load itself from beside
 * its own address is handed to it; the address only has to be one.
 */
function asScript(module: string): string {
  return `(()=>{${module.replaceAll("import.meta.url", '"file:"')}})()`;
}

/** Puts each part where its `{{name}}` stands, once; throws when a part has no place, or a place no part. */
export function fillTemplate(template: string, parts: Readonly<Record<string, string>>): string {
  const places = [...template.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]!);
  if (places.toSorted().join() !== Object.keys(parts).toSorted().join()) {
    const expected = Object.keys(parts).join(", ");
    throw new Error(`the template has places for ${places.join(", ")}, expected ${expected}`);
  }
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name]!);
}

/** The template without its indentation and the comments in its script, which nobody reads in the page. */
export function withoutLayout(template: string): string {
  return template.replaceAll(/^ +/gm, "").replaceAll(/^\/\/.*\n/gm, "");
}

/** More rounds take longer and save a few bytes. */
const ROUNDS = 5;

/** What is deflated, in base 85: a third of the size of a text, and nothing in it ends an element. */
export async function pack(plain: string | Uint8Array<ArrayBuffer>): Promise<string> {
  // Every byte saved is a byte of the page: zopfli makes 4 % less than the best level of zlib, in some seconds.
  return encode85(await deflateAsync(plain, { numiterations: ROUNDS }));
}

/** A style without its comments and its layout, which nobody reads in the page. */
export function inlineStyle(style: string): string {
  const short = style
    .replaceAll(/\/\*[^]*?\*\//g, "")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/ ?([{};,]) ?/g, "$1")
    .replaceAll(";}", "}")
    .trim();
  if (/<\/style|<!--/i.test(short)) throw new Error("the style would end its element");
  return short;
}

/** One script without imports. */
async function bundle(entry: string, format: "iife" | "esm" = "iife"): Promise<string> {
  // The paths that a bundle names in its comments depend on where it is made; minified, it names none.
  const args = ["bundle", "--quiet", "--platform", "browser", "--format", format, "--minify", entry];
  const command = new Deno.Command(Deno.execPath(), { args, cwd: HERE, env: { NO_COLOR: "1" } });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${entry}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout).trim();
}

if (import.meta.main) {
  const pages = await buildPages();
  await Deno.mkdir(`${HERE}dist`, { recursive: true });
  for (const name of Object.keys(PAGES) as (keyof Pages)[]) {
    const sizeBytes = new TextEncoder().encode(pages[name]).length;
    if (sizeBytes > PAGES[name]) {
      throw new Error(`${name}.html has ${sizeBytes} bytes, expected ${PAGES[name]} at most`);
    }
    await Deno.writeTextFile(`${HERE}dist/${name}.html`, pages[name]);
    console.error(`inspector-web/dist/${name}.html: ${sizeBytes} bytes`);
  }
}
