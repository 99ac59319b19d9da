/// <reference lib="deno.ns" />
/**
 * Builds the page: `deno task inspector`. One file holds everything: the script of the page, that of its worker as text
 * (a page of `file://` may start a worker from a blob only), the kernels in base64, the style. Both scripts are packed,
 * and a few lines of the template unpack them. The result is deterministic; a test compares it with the committed file.
 */
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const MAX_BYTES = 150 * 1000;

/** Makes the page from its sources, and returns it. */
export async function buildPage(): Promise<string> {
  const [template, style, wasm, worker, page] = await Promise.all([
    Deno.readTextFile(`${HERE}template.html`),
    Deno.readTextFile(`${HERE}page/style.css`),
    Deno.readFile(`${HERE}../core-as/core.wasm`),
    bundle("worker/main.ts"),
    bundle("page/main.tsx"),
  ]);
  return fillTemplate(template, { style: inlineStyle(style), wasm: wasm.toBase64(), worker, page });
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

/** Text as base64 of its deflated bytes: a third of the size, and nothing in it ends an element. */
export async function pack(text: string): Promise<string> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return (await new Response(packed).bytes()).toBase64();
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

/** One script without imports, packed. */
async function bundle(entry: string): Promise<string> {
  // The paths that a bundle names in its comments depend on where it is made; minified, it names none.
  const args = ["bundle", "--quiet", "--platform", "browser", "--format", "iife", "--minify", entry];
  const command = new Deno.Command(Deno.execPath(), { args, cwd: HERE, env: { NO_COLOR: "1" } });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${entry}: ${decoder.decode(stderr)}`);
  return await pack(decoder.decode(stdout).trim());
}

if (import.meta.main) {
  const page = await buildPage();
  const sizeBytes = new TextEncoder().encode(page).length;
  if (sizeBytes > MAX_BYTES) {
    throw new Error(`the page has ${sizeBytes} bytes, expected ${MAX_BYTES} at most`);
  }
  await Deno.mkdir(`${HERE}dist`, { recursive: true });
  await Deno.writeTextFile(`${HERE}dist/inspector.html`, page);
  console.error(`inspector-web/dist/inspector.html: ${sizeBytes} bytes`);
}
