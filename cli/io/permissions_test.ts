/** What the implementations do under the permissions that a user gives: each case is a process of its own. */
import assert from "node:assert/strict";
import { testWithPeers, tryRun, withLoop, withTempDir } from "../../test/helpers/peers.ts";

const MODULE_URL = new URL("./mod.ts", import.meta.url).href;

interface Case {
  readonly permissions: readonly string[];
  /** An expression of `io` and `path`. */
  readonly expression: string;
}

/** Evaluates in a process with just those permissions: `name: reason`, then what came of it. */
function outcome(folder: string, path: string, { permissions, expression }: Case): string[] {
  const script = `${folder}/script.ts`;
  Deno.writeTextFileSync(
    script,
    `import { pickIo } from ${JSON.stringify(MODULE_URL)};
    const path = ${JSON.stringify(path)};
    const io = pickIo();
    console.log(io.name + ": " + io.reason);
    try { (${expression}).close(); console.log("opened"); }
    catch (error) { console.log(error.code + ": " + error.hint); }`,
  );
  const ran = tryRun(Deno.execPath(), ["run", "--no-prompt", "--no-check", ...permissions, script]);
  assert.equal(ran.code, 0, ran.stderr);
  return ran.stdout.trimEnd().split("\n");
}

function withFile(fn: (folder: string, path: string) => void | Promise<void>): Promise<void> {
  return withTempDir((folder) => {
    const path = `${folder}/disk.img`;
    Deno.writeFileSync(path, new Uint8Array(4096));
    return fn(folder, path);
  });
}

const SOURCE = "io.openSource(path)";
const TARGET = "io.openTarget(path, { force: false })";
const isLinux = Deno.build.os === "linux";
const LINUX = "linux: libc through FFI";
const PORTABLE = `portable: ${isLinux ? "no FFI permission" : "not Linux"}`;

Deno.test("without permission to read, a source is refused and the flag named", () =>
  withFile((folder, path) => {
    assert.deepEqual(outcome(folder, path, { permissions: [], expression: SOURCE }), [
      PORTABLE,
      `PERMISSION: grant --allow-read=${path}`,
    ]);
  }));

Deno.test("without permission to write, a target is refused and the flag named", () =>
  withFile((folder, path) => {
    assert.deepEqual(outcome(folder, path, { permissions: ["--allow-read"], expression: TARGET }), [
      PORTABLE,
      `PERMISSION: grant --allow-write=${path}`,
    ]);
  }));

Deno.test("files need no more than to be read and written", () =>
  withFile((folder, path) => {
    const permissions = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    assert.deepEqual(outcome(folder, path, { permissions, expression: TARGET }), [PORTABLE, "opened"]);
  }));

Deno.test({
  name: "FFI does not walk around the permissions for files",
  ignore: !isLinux,
  fn: () =>
    withFile((folder, path) => {
      const refused = (flags: string[], expression: string) =>
        outcome(folder, path, { permissions: ["--allow-ffi", ...flags], expression });
      assert.deepEqual(refused([], SOURCE), [LINUX, `PERMISSION: grant --allow-read=${path}`]);
      assert.deepEqual(refused(["--allow-read"], TARGET), [LINUX, `PERMISSION: grant --allow-write=${path}`]);
      assert.deepEqual(refused([`--allow-read=${folder}/elsewhere`], SOURCE), [
        LINUX,
        `PERMISSION: grant --allow-read=${path}`,
      ]);
      const granted = [`--allow-read=${path}`, `--allow-write=${path}`];
      assert.deepEqual(refused(granted, TARGET), [LINUX, "opened"]);
    }),
});

Deno.test({
  name: "FFI does not follow a symbolic link out of what may be read",
  ignore: !isLinux,
  fn: () =>
    withFile((folder, path) => {
      Deno.mkdirSync(`${folder}/allowed`);
      Deno.symlinkSync(path, `${folder}/allowed/link`);
      const permissions = ["--allow-ffi", `--allow-read=${folder}/allowed`];
      assert.deepEqual(outcome(folder, `${folder}/allowed/link`, { permissions, expression: SOURCE }), [
        LINUX,
        `PERMISSION: grant --allow-read=${path}`,
      ]);
      Deno.symlinkSync(folder, `${folder}/allowed/folder`);
      const created = outcome(folder, `${folder}/allowed/folder/new.img`, {
        permissions: ["--allow-ffi", "--allow-read", `--allow-write=${folder}/allowed`],
        expression: "io.openTarget(path, { create: { sizeBytes: 1 }, force: false })",
      });
      assert.deepEqual(created, [LINUX, `PERMISSION: grant --allow-write=${folder}/new.img`]);
    }),
});

testWithPeers(
  "devices need --allow-all without FFI, and no more than their path with it",
  ["root-loop"],
  () =>
    withFile((folder, path) =>
      withLoop(path, (device) => {
        const files = ["--allow-read", "--allow-write"];
        assert.deepEqual(outcome(folder, device, { permissions: files, expression: TARGET }), [
          PORTABLE,
          "PERMISSION: grant --allow-all",
        ]);
        const withFfi = ["--allow-ffi", `--allow-read=${device}`, `--allow-write=${device}`];
        assert.deepEqual(outcome(folder, device, { permissions: withFfi, expression: TARGET }), [
          LINUX,
          "opened",
        ]);
      })
    ),
);
