import assert from "node:assert/strict";
import type { RegrainError } from "../../core-as/host/errors.ts";
import { testWithPeers, withMount, withTempDir } from "../../test/helpers/peers.ts";
import { Spill } from "./spill.ts";

const isCode = (code: string) => (error: RegrainError) => error.code === code;

Deno.test("what was kept is read back, and the folder stays empty", () =>
  withTempDir((folder) => {
    const told: string[] = [];
    const spill = new Spill({ folder, limitBytes: 1000, onCreate: (where) => told.push(where) });
    assert.deepEqual(told, []);
    spill.append(Uint8Array.of(1, 2, 3));
    spill.append(Uint8Array.of(4, 5));
    const into = new Uint8Array(3);
    spill.read(2, into);
    assert.deepEqual(into, Uint8Array.of(3, 4, 5));
    spill.append(Uint8Array.of(6));
    spill.read(3, into);
    assert.deepEqual(into, Uint8Array.of(4, 5, 6));
    assert.deepEqual(told, [folder]);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    spill.close();
  }));

Deno.test("the limit holds, and the message names the folder", () =>
  withTempDir((folder) => {
    const spill = new Spill({ folder, limitBytes: 4, onCreate: () => {} });
    spill.append(new Uint8Array(4));
    assert.throws(() => spill.append(new Uint8Array(1)), (error: RegrainError) => {
      assert.equal(error.code, "NO_SPACE");
      assert.equal(error.path, folder);
      return true;
    });
    spill.close();
  }));

Deno.test("without a folder nothing is kept", () => {
  const spill = new Spill({ folder: undefined, limitBytes: 4, onCreate: () => {} });
  assert.throws(() => spill.append(new Uint8Array(1)), isCode("UNSUPPORTED"));
});

Deno.test("a folder that does not exist is an error that names it", () => {
  const spill = new Spill({ folder: "/nowhere/at/all", limitBytes: 4, onCreate: () => {} });
  assert.throws(() => spill.append(new Uint8Array(1)), /\/nowhere\/at\/all/);
});

testWithPeers(
  "a full file system is NO_SPACE and names the folder",
  ["root-mount"],
  () =>
    withTempDir((folder) =>
      withMount(folder, ["-t", "tmpfs", "-o", "size=64k", "tmpfs"], () => {
        const spill = new Spill({ folder, limitBytes: 2 ** 30, onCreate: () => {} });
        assert.throws(() => {
          for (let i = 0; i < 100; i++) spill.append(new Uint8Array(4096));
        }, (error: RegrainError) => error.code === "NO_SPACE" && error.path === folder);
        spill.close();
      })
    ),
);
