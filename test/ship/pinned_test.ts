/** What is fetched: only what has the hash that is written down here. */
import assert from "node:assert/strict";
import { LEAST_DENO } from "../../cli/version.ts";
import { tryRun, withTempDir } from "../helpers/peers.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const HASH = /^sha512-[A-Za-z0-9+/]{86}==$/;

function read(path: string): string {
  return Deno.readTextFileSync(ROOT + path);
}

interface Packages {
  readonly [name: string]: { readonly version?: string; readonly integrity?: string };
}

Deno.test("E12: the lock is frozen, so that a package that it does not hold is not loaded", () =>
  withTempDir((folder) => {
    const { lock } = JSON.parse(read("deno.json"));
    assert.deepEqual(lock, { frozen: true });
    const whole = JSON.parse(read("deno.lock"));
    const { version } = whole;
    Deno.writeTextFileSync(`${folder}/main.ts`, 'import { zlibSync } from "npm:fflate@0.8.3";\nzlibSync;\n');
    const run = (config: unknown, lock: unknown) => {
      Deno.writeTextFileSync(`${folder}/deno.json`, JSON.stringify({ lock: config }));
      Deno.writeTextFileSync(`${folder}/deno.lock`, JSON.stringify(lock));
      return tryRun(Deno.execPath(), ["run", "--cached-only", `${folder}/main.ts`]);
    };
    const refused = run(lock, { version });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /lockfile is out of date/);
    assert.equal(run({ frozen: false }, { version }).code, 0, "it is the lock that refuses");
    const specifier = "npm:fflate@0.8.3";
    const held = {
      version,
      specifiers: { [specifier]: whole.specifiers[specifier] },
      npm: { "fflate@0.8.3": whole.npm["fflate@0.8.3"] },
    };
    assert.equal(run(lock, held).code, 0);
  }));

Deno.test("E12: every package of every lock is pinned by a hash, Deno itself too", () => {
  const locks: Record<string, Packages> = { "deno.lock": JSON.parse(read("deno.lock")).npm };
  for (const name of ["deno", "s3rver"]) {
    const path = `.ci/${name}/package-lock.json`;
    const { "": _own, ...packages } = JSON.parse(read(path)).packages as Packages;
    locks[path] = packages;
  }
  for (const [path, packages] of Object.entries(locks)) {
    assert.ok(Object.keys(packages).length > 2, path);
    const loose = Object.entries(packages).filter(([, { integrity }]) => !HASH.test(integrity ?? ""));
    assert.deepEqual(loose.map(([name]) => name), [], path);
  }
  const { version } = locks[".ci/deno/package-lock.json"]!["node_modules/deno"]!;
  for (const [, named] of read("README.md").matchAll(/deno@(\d+\.\d+\.\d+)/g)) assert.equal(named, version);
  assert.equal(LEAST_DENO, version);
  const { version: store } = locks[".ci/s3rver/package-lock.json"]!["node_modules/s3rver"]!;
  assert.match(read(".ci/run"), new RegExp(`\\bs3rver=${store!.replaceAll(".", "\\.")}$`, "m"));
});

Deno.test("E12: what CI fetches it fetches by a hash, and the nightly build among the packages is named", () => {
  const run = read(".ci/run").replaceAll(/^\s*#.*$/gm, "");
  assert.doesNotMatch(run, /\bnpx\b|\bnpm (i|install|add)\b|\bgo (install|get)\b|\b(curl|wget)\b/);
  assert.match(run, /versitygw_sum=h1:[A-Za-z0-9+/]{43}=\n/);
  assert.match(run, /s3s_fs_sha256=[0-9a-f]{64}\n/);
  const nightlies = [...read("deno.lock").matchAll(/"(\w[\w-]*)@([\d.]+-nightly[\w.]*)"/g)];
  assert.deepEqual(nightlies.map(([, name]) => name), ["binaryen"]);
  for (const [, name, version] of nightlies) {
    assert.ok(read("docs/dependencies.md").includes(`\`${name}\` ${version}`));
  }
});
