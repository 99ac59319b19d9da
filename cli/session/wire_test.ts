import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/mod.ts";
import type { Console } from "../ui/mod.ts";
import type { StoreFlags } from "../store/flags.ts";
import { guardWire } from "./wire.ts";

function guarded(flags: StoreFlags, isEncrypted: boolean, address = "s3://bucket/vms") {
  const warnings: string[] = [];
  const console = { warn: (line: string) => warnings.push(line) } as unknown as Console;
  try {
    guardWire(address, flags, { isEncrypted, console });
    return { warnings };
  } catch (error) {
    assert.ok(error instanceof RegrainError);
    return { warnings, refused: error };
  }
}

Deno.test("E11: http:// to a distant host is warned of, and refused without a flag for a plain repository", () => {
  const endpoint = "http://nas:9000";
  const { refused } = guarded({ endpoint }, false);
  assert.equal(refused?.code, "USAGE");
  assert.match(refused?.hint ?? "", /--allow-http sends every disk/);
  for (const way of [guarded({ endpoint, allowHttp: true }, false), guarded({ endpoint }, true)]) {
    assert.equal(way.refused, undefined);
    assert.match(way.warnings.join(), /http:\/\/nas:9000 is not encrypted/);
  }
  for (const near of ["https://nas:9000", "http://127.0.0.1:9000", "http://localhost"]) {
    assert.deepEqual(guarded({ endpoint: near }, false), { warnings: [] });
  }
  assert.deepEqual(guarded({ endpoint }, false, "/srv/vms"), { warnings: [] });
});
