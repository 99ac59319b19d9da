import assert from "node:assert/strict";
import { passphraseText } from "./passphrase_text.ts";

const FROM = { path: "/secret", bytesOf: "cat /secret" };

Deno.test("passphraseText() takes UTF-8 with or without a mark before it, and without its line end", () => {
  for (const bytes of ["K\u00e4se", "K\u00e4se\n", "K\u00e4se\r\n", "\ufeffK\u00e4se\r\n"]) {
    assert.equal(passphraseText(new TextEncoder().encode(bytes), FROM), "K\u00e4se");
  }
});

Deno.test("passphraseText() refuses bytes that are no UTF-8, which would all be the same passphrase", () => {
  const latin = [Uint8Array.of(0x4b, 0xe4, 0x73, 0x65), Uint8Array.of(0x4b, 0xf6, 0x73, 0x65)];
  const utf16 = Uint8Array.of(0xff, 0xfe, 0x4b, 0, 0xe4, 0);
  for (const bytes of [...latin, utf16]) {
    assert.throws(() => passphraseText(bytes, FROM), { code: "REPO_KEY", path: "/secret" });
  }
});
