import assert from "node:assert/strict";
import { buildPages, fillTemplate, hashSource, inlineStyle, pack } from "../../inspector-web/build.ts";
import { decode85, encode85 } from "../../inspector-web/base85.ts";
import { checkAsync, fc } from "../helpers/property.ts";
import { PAGE_PATH, REPOSITORY_PAGE_PATH } from "./browser.ts";

const POLICY = {
  "default-src": "'none'",
  "worker-src": "blob:",
  "style-src": "'unsafe-inline'",
  "img-src": "data: blob:",
  "connect-src": "'none'",
  "base-uri": "'none'",
  "form-action": "'none'",
};

function unpack(packed: string): Promise<string> {
  const bytes = new Blob([decode85(packed)]).stream();
  return new Response(bytes.pipeThrough(new DecompressionStream("deflate-raw"))).text();
}

const built = await Deno.readTextFile(PAGE_PATH);
const builtWithZstd = await Deno.readTextFile(REPOSITORY_PAGE_PATH);

Deno.test("the pages are what their sources make (deno task inspector)", async () => {
  const pages = await buildPages();
  for (const [made, found] of [[pages.inspector, built], [pages["inspector-repository"], builtWithZstd]]) {
    assert.equal(made!.length, found!.length);
    assert.ok(
      made === found,
      `they differ from character ${[...made!].findIndex((char, i) => char !== found![i])} on`,
    );
  }
});

Deno.test("the page that shows repositories is the other one with zstd in it, packed", async () => {
  const parts = [...builtWithZstd.matchAll(/(id="zstd-(?:source|wasm)">)([^<]+)</g)];
  assert.deepEqual(parts.map((part) => part[1]), ['id="zstd-source">', 'id="zstd-wasm">']);
  const without = parts.reduce((page, part) => page.replace(part[2]!, ""), builtWithZstd);
  assert.ok(without === built, "there is more that they differ in");
  assert.match(await unpack(parts[0]![2]!), /startZstd/);
  assert.ok(new TextEncoder().encode(builtWithZstd).length < 280_000);
});

Deno.test("the page is under 164 KB", () => {
  assert.ok(new TextEncoder().encode(built).length < 164_000);
});

Deno.test("E8: the policy of the page runs its own two scripts, by their hashes, and no other", async () => {
  for (const page of [built, builtWithZstd]) {
    const [, sources] = /; script-src ([^;]*);/.exec(page)!;
    const [, loader] = /<script>([^]*?)<\/script>/.exec(page)!;
    const [, packed] = /id="page-source">([^<]*)</.exec(page)!;
    const hashes = await Promise.all([loader!, await unpack(packed!)].map(hashSource));
    assert.equal(sources, `${hashes.join(" ")} 'wasm-unsafe-eval' blob:`);
  }
});

Deno.test("E8: hashSource() is the hash that openssl makes of a script", async () => {
  // printf 'alert(1)' | openssl dgst -sha256 -binary | base64
  assert.equal(await hashSource("alert(1)"), "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='");
});

Deno.test("the policy of the page lets nothing in and asks nobody", () => {
  const policies = [...built.matchAll(/http-equiv="Content-Security-Policy" content="([^"]*)"/g)];
  assert.equal(policies.length, 1);
  const directives = policies[0]![1]!.split("; ").map((directive) => {
    const space = directive.indexOf(" ");
    return [directive.slice(0, space), directive.slice(space + 1)] as const;
  });
  const { "script-src": _scripts, ...others } = Object.fromEntries(directives);
  assert.deepEqual(others, POLICY);
  assert.ok(built.indexOf("Content-Security-Policy") < built.indexOf("<script"), "the policy comes late");
});

Deno.test("the page names nothing that lies elsewhere, on the network or on the machine that built it", async () => {
  const packed = [...built.matchAll(/id="(?:style|worker|page)-source">([^<]*)</g)].map((match) => match[1]!);
  assert.equal(packed.length, 3);
  const all = [built, ...await Promise.all(packed.map(unpack))].join("\n");
  const addresses = all.match(/\bhttps?:\/\/[^\s"'`)]*/g) ?? [];
  assert.deepEqual([...new Set(addresses)].filter((each) => !each.startsWith("http://www.w3.org/")), []);
  assert.doesNotMatch(built, /<(link|img|iframe|script|object|embed)\b[^>]*\b(src|href)\s*=|@import|url\(/i);
  assert.ok(!all.includes(Deno.cwd()));
  assert.doesNotMatch(all, /\bfile:\/\/\/\w|sourceMappingURL/);
});

Deno.test("the elements of the page end where they should", async () => {
  const scripts = [...built.matchAll(/<script\b[^>]*>([^]*?)<\/script>/g)];
  const opening = [...built.matchAll(/<script type="[^"]*" id="([^"]*)">/g)].map((match) => match[1]);
  assert.deepEqual(opening, [
    "served",
    "style-source",
    "core-wasm",
    "worker-source",
    "zstd-source",
    "zstd-wasm",
    "page-source",
  ]);
  assert.equal(scripts.length, 8);
  assert.doesNotMatch(built, /<!--/);
  assert.match(await unpack(scripts[1]![1]!), /^:root\{/);
  assert.match(await unpack(scripts[2]![1]!), /^\0asm/);
});

Deno.test("decode85() undoes encode85(), whatever the length, and the text ends no element", async () => {
  await checkAsync(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = encode85(bytes);
      assert.deepEqual(decode85(text), bytes);
      assert.doesNotMatch(text, /[&'"<>\\`\s]/);
      assert.equal(text.length, Math.ceil(bytes.length * 5 / 4));
      return Promise.resolve();
    }),
    { runs: 200 },
  );
});

Deno.test("pack() is undone by what the page does", async () => {
  const text = "</script> \u20ac ".repeat(1000);
  assert.equal(await unpack(await pack(text)), text);
});

Deno.test("inlineStyle() drops comments and layout, and refuses what ends the element", () => {
  assert.equal(inlineStyle("/* a */\np :hover {\n  color: red;\n}\n"), "p :hover{color: red}");
  assert.throws(() => inlineStyle('p::after { content: "</style>" }'), /end its element/);
});

Deno.test("fillTemplate() wants a part for each place and a place for each part", () => {
  assert.equal(fillTemplate("{{a}}-{{b}}", { a: "{{b}}", b: "$&" }), "{{b}}-$&");
  assert.throws(() => fillTemplate("{{a}}", {}), /places for a, expected/);
  assert.throws(() => fillTemplate("", { a: "" }), /expected a/);
  assert.throws(() => fillTemplate("{{a}}{{a}}", { a: "" }), /places for a, a/);
});
