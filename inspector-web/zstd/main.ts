/**
 * The decompressor as a script of its own, which the worker loads when a repository is opened: it leaves its one
 * function where the worker finds it.
 */
import { decompress, init } from "@bokuweb/zstd-wasm";
import type { Decompress } from "../worker/repository/zstd.ts";

Object.assign(globalThis, {
  async startZstd(wasm: Uint8Array): Promise<Decompress> {
    // It takes the bytes in place of their address, though its types do not say so.
    await (init as (wasm: Uint8Array) => Promise<void>)(wasm);
    return decompress;
  },
});
