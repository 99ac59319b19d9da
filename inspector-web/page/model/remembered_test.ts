/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { FORGETFUL, type Keep, keepChoices, openKeep, readChoices } from "./remembered.ts";
import { Store } from "./store.ts";

function memory(): Keep & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return {
    texts,
    getItem: (name) => texts.get(name) ?? null,
    setItem: (name, text) => void texts.set(name, text),
  };
}

Deno.test("what was chosen is there again, and nothing else is written", () => {
  const kept = memory();
  const store = new Store();
  keepChoices(store, kept);
  store.set({ tab: "hex", warning: "secret" });
  assert.equal(kept.texts.size, 0);
  store.set({ theme: "dark", curve: "hilbert", speedMbps: 500 });
  assert.deepEqual(readChoices(kept), { theme: "dark", curve: "hilbert", speedMbps: 500 });
  assert.doesNotMatch([...kept.texts.values()].join(), /secret|hex/);
});

Deno.test("what makes no sense is not believed", () => {
  for (const text of ["", "theme=pink&curve=spiral&speed=-1", "speed=1e99", "{}", "%%%"]) {
    assert.deepEqual(readChoices({ ...FORGETFUL, getItem: () => text }), {}, text);
  }
});

Deno.test("without storage choices last as long as the page, and other errors are not hidden", () => {
  const refused = () => {
    throw new DOMException("no", "SecurityError");
  };
  assert.equal(openKeep(refused), FORGETFUL);
  assert.equal(openKeep(() => null), FORGETFUL);
  assert.equal(openKeep(() => ({ ...FORGETFUL, getItem: refused })), FORGETFUL);
  assert.throws(() => openKeep(() => assert.fail("a mistake")), /a mistake/);
  const store = new Store();
  let tries = 0;
  keepChoices(store, {
    ...FORGETFUL,
    setItem: () => {
      tries++;
      throw new DOMException("full", "QuotaExceededError");
    },
  });
  for (const theme of ["dark", "light"] as const) store.set({ theme });
  assert.equal(tries, 1);
  assert.equal(store.state.theme, "light");
});
