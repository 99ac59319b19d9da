/** The committed kernels are those of the sources, and cannot reach or take anything. */
import assert from "node:assert/strict";
import { compileCore } from "./build.ts";

const committed = await Deno.readFile(new URL("core.wasm", import.meta.url));

Deno.test("compiling the kernels gives the committed core.wasm, byte for byte", async () => {
  const compiled = await compileCore();
  assert.equal(compiled.length, committed.length, "sizes differ: run deno task build");
  assert.equal(compiled.findIndex((byte, i) => byte !== committed[i]), -1, "first differing byte");
});

Deno.test("the kernels import nothing: no call can leave their memory", () => {
  assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(committed)), []);
});

Deno.test("the kernels export functions and one memory", () => {
  const exports = WebAssembly.Module.exports(new WebAssembly.Module(committed));
  const kinds = new Set(exports.filter(({ name }) => name !== "memory").map(({ kind }) => kind));
  assert.deepEqual([...kinds], ["function"]);
  assert.equal(exports.find(({ name }) => name === "memory")?.kind, "memory");
});

Deno.test("the memory of the kernels holds every region and does not grow", () => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(committed));
  const memory = exports["memory"] as WebAssembly.Memory;
  const region = exports["region"] as (which: number) => number;
  const places = Array.from({ length: 8 }, (_, which) => region(which));
  assert.deepEqual(places, places.toSorted((a, b) => a - b));
  assert.ok(places.every((place) => place % 16 === 0), `a region is not aligned: ${places}`);
  assert.ok(places.at(-1)! <= memory.buffer.byteLength);
  assert.throws(() => memory.grow(1), RangeError);
});
