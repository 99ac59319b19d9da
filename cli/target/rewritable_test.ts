import assert from "node:assert/strict";
import type { RegrainError } from "../../core-as/host/mod.ts";
import type { Room } from "../io/mod.ts";
import { requireRewritable } from "./rewritable.ts";

/** A system that has this to say of the file, and of a new one beside it. */
function system(own: string | undefined, beside: string | undefined) {
  return {
    realPath: (path: string) => `/real/${path}`,
    roomAt: (path: string): Room => ({
      obstacle: path === "/real/vm.vmdk" ? own : beside,
      freeBytes: undefined,
    }),
  };
}

Deno.test("C10: a descriptor that cannot be replaced is refused before its data changes", () => {
  const ofTheFile = [["EPERM", undefined], ["EROFS", undefined]] as const;
  for (const [own, beside] of [...ofTheFile, [undefined, "EACCES"], ["EACCES", "EACCES"]] as const) {
    assert.throws(() => requireRewritable("vm.vmdk", system(own, beside)), (error: RegrainError) => {
      assert.equal(error.code, "PERMISSION");
      assert.match(error.message, /vm\.vmdk: its CID changes with the data, and it cannot be replaced/);
      return true;
    });
  }
});

Deno.test("C10: a descriptor that may not be written is taken where its folder may", () => {
  requireRewritable("vm.vmdk", system(undefined, undefined));
  requireRewritable("vm.vmdk", system("EACCES", undefined));
});
