/** What is shipped: one file that runs anywhere, and a binary with nothing in it that does not belong there. */
import assert from "node:assert/strict";
import { dirname } from "node:path/posix";
import { MIB, SECTOR_SIZE } from "../../core-as/host/units.ts";
import {
  buildCowd,
  caseNamed,
  dataGrains,
  deltaFiles,
  pattern,
  Rng,
  sequence,
  writeCase,
} from "../../fixtures/mod.ts";
import { assertFileHolds, sameBytes } from "../helpers/bytes.ts";
import { withLazyBuiltins, withLazyModules } from "../../cli/ship/builtins.ts";
import { LEAST_DENO, VERSION } from "../../cli/version.ts";
import { type Ran, testWithPeers, withTempDir } from "../helpers/peers.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`)) as {
  tasks: Record<string, { command: string }>;
};
const COMPILE_TASKS = Object.keys(tasks).filter((name) => name.startsWith("compile"));

/** Runs a script of `cli/ship/`. */
function ship(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  return deno(["run", "--quiet", "-A", `cli/ship/${script}.ts`, ...args], { cwd: ROOT, env });
}

function shipWell(script: string, ...args: readonly string[]): string {
  const { code, stdout, stderr } = ship(script, args);
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

function deno(args: readonly string[], at: { cwd: string; env: Readonly<Record<string, string>> }): Ran {
  return run(Deno.execPath(), args, at);
}

function run(
  program: string,
  args: readonly string[],
  at: { cwd: string; env: Readonly<Record<string, string>>; clearEnv?: boolean },
): Ran {
  const output = new Deno.Command(program, {
    args: [...args],
    cwd: at.cwd,
    env: { NO_COLOR: "1", ...at.env },
    clearEnv: at.clearEnv ?? false,
    stdin: "null",
  }).outputSync();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

/** The one file, alone in a folder, with nothing cached and no way to fetch anything. */
async function withLoneBundle(
  fn: (regrain: (args: readonly string[]) => Ran, folder: string) => Promise<void>,
) {
  await withTempDir(async (folder) => {
    for (const name of ["dist", "alone", "cache", "work"]) await Deno.mkdir(`${folder}/${name}`);
    shipWell("bundle", `${folder}/dist/regrain.js`);
    await Deno.copyFile(`${folder}/dist/regrain.js`, `${folder}/alone/regrain.js`);
    await Deno.remove(`${folder}/dist`, { recursive: true });
    const flags = ["run", "--cached-only", "--no-remote", "--no-npm", "--no-prompt", "-A"];
    await fn(
      (args) =>
        deno([...flags, "../alone/regrain.js", ...args], {
          cwd: `${folder}/work`,
          env: { DENO_DIR: `${folder}/cache` },
        }),
      `${folder}/work`,
    );
  });
}

/** A delta that says what every byte of a disk of 64 MiB is, the disk before it, and what is to come of both. */
function writeLargeDelta(folder: string): Uint8Array {
  const sectors = 64 * MIB / SECTOR_SIZE;
  const seed = 12;
  const grains = dataGrains(sequence({ from: 0, count: sectors / 8 }));
  const { bytes } = buildCowd({ capacitySectors: sectors, grainSectors: 8, seed, grains });
  const files = deltaFiles({ kind: "cowd", bytes, capacitySectors: sectors });
  for (const [name, content] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, content);
  using target = Deno.createSync(`${folder}/large.img`);
  target.truncateSync(64 * MIB);
  return pattern({ seed, startSector: 0, sectors });
}

/** Threads help where there are processors for them, and on Linux, where files are read by libc. */
const hasLanes = Deno.build.os === "linux" && navigator.hardwareConcurrency > 1;

Deno.test("the bundle alone, without network and cache, applies deltas and prints everything it can", async (t) => {
  await withLoneBundle(async (regrain, folder) => {
    await t.step("a delta onto an image", async () => {
      const fixture = caseNamed("sesparse-all-four-kinds");
      await writeCase(fixture, folder);
      const { code, stderr } = regrain(["apply", "disk-000001-sesparse.vmdk", "disk-flat.vmdk"]);
      assert.equal(code, 0, stderr);
      assertFileHolds(`${folder}/disk-flat.vmdk`, fixture.expected!());
    });
    await t.step("compressed grains, by the zlib that Deno has", async () => {
      const fixture = caseNamed("stream-footer");
      await writeCase(fixture, folder);
      const { code, stderr } = regrain(["apply", "--create", "disk.vmdk", "new.img"]);
      assert.equal(code, 0, stderr);
      assertFileHolds(`${folder}/new.img`, fixture.expected!());
    });
    await t.step("a delta of 64 MiB, by two lanes: the second is a thread that starts as the file", () => {
      const bytes = writeLargeDelta(folder);
      const { code, stderr } = regrain([
        "apply",
        "--verify",
        "-v",
        "--force",
        "disk-000001.vmdk",
        "large.img",
      ]);
      assert.equal(code, 0, stderr);
      assert.equal(stderr.match(/two lanes/g)?.length, hasLanes ? 2 : undefined, stderr);
      assert.ok(sameBytes(Deno.readFileSync(`${folder}/large.img`), bytes));
    });
    await t.step("a backup and its restore, by threads that start as the file", () => {
      const bytes = new Rng(5).bytes(3 * MIB + 512);
      Deno.writeFileSync(`${folder}/vm.img`, bytes);
      for (
        const args of [
          ["repo", "init", "--unencrypted"],
          ["backup", "--name", "vm/disk", "vm.img"],
          ["restore", "vm/disk", "back.img"],
        ]
      ) {
        const { code, stderr } = regrain([...args, "--repo", "repo"]);
        assert.equal(code, 0, stderr);
      }
      assertFileHolds(`${folder}/back.img`, bytes);
    });
    await t.step("what is loaded on demand is in the file too", () => {
      assert.doesNotMatch(Deno.readTextFileSync(`${folder}/../alone/regrain.js`), /\bimport\(\s*["'`][./]/);
    });
    await t.step("the manual and the completions", () => {
      assert.match(regrain(["man"]).stdout, /^\.TH REGRAIN 1 /m);
      for (const shell of ["bash", "zsh", "fish"]) {
        const { code, stdout } = regrain(["completion", shell]);
        assert.equal(code, 0);
        assert.match(stdout, /apply/);
      }
    });
  });
});

Deno.test("the binary holds the bundle, and no tool that only builds or tests", async () => {
  await withTempDir((dist) => {
    // The runtime that `deno compile` puts in front comes from the network; any program of the right kind takes its
    // place here. The result does not run as regrain does, but what is put into it is listed all the same.
    const env = { DENORT_BIN: Deno.execPath(), REGRAIN_DIST: dist };
    const { code, stdout, stderr } = ship("compile", [], env);
    const said = stdout + stderr;
    assert.equal(code, 0, said);
    const list = said.slice(said.indexOf("Embedded Files"));
    assert.match(list, /regrain\.js \(\d+(\.\d+)?MB\)/);
    assert.doesNotMatch(list, /assemblyscript|binaryen|fast-check|typescript|node_modules|npm/i);
    // Of it 1.6 MB are the S3 client, and 0.4 MB the two inspector pages.
    const [, megabytes] = /^Files: (\d+(?:\.\d+)?)MB$/m.exec(list) ?? [];
    assert.ok(Number(megabytes) < 4, list);
    assert.ok(Deno.statSync(`${dist}/regrain`).size > 10_000_000);
    const without = ship("compile", ["other", "aarch64-unknown-linux-gnu"], {
      ...env,
      DENORT_BIN: `${dist}/missing`,
    });
    assert.equal(without.code, 1);
    const { deno: version } = Deno.version;
    assert.ok(
      without.stderr.includes(`dl/release/v${version}/denort-aarch64-unknown-linux-gnu.zip`),
      without.stderr,
    );
    assert.match(without.stderr, /DENORT_BIN/);
  });
});

Deno.test("there is a task for every system", () => {
  assert.deepEqual(COMPILE_TASKS.map((name) => name.replace("compile:", "")), [
    "compile",
    "linux-x64",
    "linux-arm64",
    "macos-x64",
    "macos-arm64",
    "windows-x64",
  ]);
});

Deno.test("imports of node: modules load with the module that has them, or with their first use", () => {
  const text = [
    'import whole from "node:path";',
    'import { EventEmitter } from "node:events";',
    'import { inspect as inspect2, format } from "node:util";',
    'import { Buffer } from "node:buffer";',
    "class Command extends EventEmitter {}",
    "inspect2(format(x.inspect2, Buffer.from(1)));",
    "// cli/lazy.ts",
    'import { a, b as c } from "node:zlib";',
    'import * as d from "node:os";',
    "function use() {}",
    "var init_lazy = __esm({",
    '  "cli/lazy.ts"() {',
    "    start();",
    "  }",
    "});",
    "// cli/eager.ts",
  ].join("\n");
  assert.deepEqual(withLazyBuiltins(text).split("\n"), [
    'var whole = new Proxy({}, { get: (_, member) => globalThis.process.getBuiltinModule("node:path")[member] });',
    'import { EventEmitter } from "node:events";',
    'var inspect2 = (...values) => globalThis.process.getBuiltinModule("node:util").inspect(...values); ' +
    'var format = (...values) => globalThis.process.getBuiltinModule("node:util").format(...values);',
    "var Buffer = new Proxy({}, { get: (_, member) => " +
    'globalThis.process.getBuiltinModule("node:buffer").Buffer[member] });',
    "class Command extends EventEmitter {}",
    "inspect2(format(x.inspect2, Buffer.from(1)));",
    "// cli/lazy.ts",
    "var a, c;",
    "var d;",
    "function use() {}",
    "var init_lazy = __esm({",
    '  "cli/lazy.ts"() { ({ a, b: c } = process.getBuiltinModule("node:zlib"));' +
    ' d = process.getBuiltinModule("node:os");',
    "    start();",
    "  }",
    "});",
    "// cli/eager.ts",
  ]);
  const required = [
    'import { createRequire as make } from "node:module";',
    "var __require = make(import.meta.url);",
  ].join("\n");
  assert.equal(
    withLazyBuiltins(required),
    'var __require = (id) => globalThis.process.getBuiltinModule("node:module").createRequire(import.meta.url)(id);',
  );
  const late = (path: string) => `await import(${path})`;
  assert.equal(withLazyModules(late('"./x.js"')), late('new URL("./x.js", import.meta.url).href'));
});

/** What an installed or packed regrain has to do: two lanes, backups in threads, and to say what it is. */
function assertWorks(regrain: (...args: string[]) => Ran, folder: string): void {
  const well = (...args: string[]) => {
    const { code, stdout, stderr } = regrain(...args);
    assert.equal(code, 0, `${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  const large = writeLargeDelta(folder);
  well("apply", "--force", "disk-000001.vmdk", "large.img");
  assert.ok(sameBytes(Deno.readFileSync(`${folder}/large.img`), large));
  well("repo", "init", "--repo", "repo");
  well("backup", "large.img", "--name", "vm/disk", "--repo", "repo");
  const facts = JSON.parse(well("--version", "-v", "--json"));
  assert.equal(facts.version, VERSION);
  assert.equal(facts.libraries.fflate, "0.8.3");
}

Deno.test("install puts a command, its manual and completions below a prefix, and uninstall removes them", () =>
  withTempDir((folder) => {
    const prefix = `${folder}/a prefix`;
    const work = `${folder}/work`;
    Deno.mkdirSync(work);
    assert.match(
      shipWell("install", "install", "--prefix", prefix),
      /^installed .*\/bin\/regrain \(\d+ files\)/,
    );
    const command = `${prefix}/bin/regrain`;
    const env = { XDG_STATE_HOME: `${folder}/state` };
    const regrain = (...args: string[]) => run(command, args, { cwd: work, env });
    assertWorks(regrain, work);
    assertStartsLean(`${prefix}/lib/regrain`);
    // The client of S3 is loaded late, with the modules for the network.
    const denied = regrain("snapshots", "--repo", "s3://bucket/vms", "--endpoint", "http://127.0.0.1:1");
    assert.equal(denied.code, 7, denied.stderr);
    assert.match(regrain("--version", "-v").stdout, /^ *Deno +\d+\.\d+\.\d+ /m);
    assert.match(Deno.readTextFileSync(`${prefix}/share/man/man1/regrain.1`), /^\.TH REGRAIN 1 /m);
    for (const name of ["bash-completion/completions/regrain", "zsh/site-functions/_regrain"]) {
      assert.match(Deno.readTextFileSync(`${prefix}/share/${name}`), /apply/);
    }

    // Of an older installation a file is left that the new one has not.
    const list = `${prefix}/lib/regrain/installed-files`;
    Deno.writeTextFileSync(list, `${Deno.readTextFileSync(list)}lib/regrain/old.js\n`);
    Deno.writeTextFileSync(`${prefix}/lib/regrain/old.js`, "");
    Deno.writeTextFileSync(command, "#!/bin/sh\nexit 9\n");
    assert.match(shipWell("install", "install", `--prefix=${prefix}`), /^upgraded /);
    assert.equal(run(command, ["--version"], { cwd: work, env }).stdout, `${VERSION}\n`);
    assert.throws(() => Deno.statSync(`${prefix}/lib/regrain/old.js`), Deno.errors.NotFound);

    assertOldDenoSays(command, folder);

    Deno.writeTextFileSync(`${prefix}/bin/other`, "not ours");
    assert.match(shipWell("install", "uninstall", "--prefix", prefix), /^removed \d+ files/);
    assert.deepEqual(filesBelow(prefix), [`${prefix}/bin/other`]);
    const again = ship("install", ["uninstall", "--prefix", prefix]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /regrain is not installed below/);
    Deno.writeTextFileSync(command, "somebody else's");
    const refused = ship("install", ["install", "--prefix", prefix]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /was not installed by this/);
    assert.equal(Deno.readTextFileSync(command), "somebody else's");
    assert.equal(ship("install", ["install", "--prefx", prefix]).code, 2);
  }));

Deno.test("what others put below a prefix stays, and a command that cannot start never ends with 1", () =>
  withTempDir((folder) => {
    const prefix = `${folder}/it's a $PREFIX`;
    const manual = `${prefix}/share/man/man1/regrain.1`;
    Deno.mkdirSync(dirname(manual), { recursive: true });
    Deno.writeTextFileSync(manual, "somebody else's");
    const refused = ship("install", ["install", "--prefix", prefix]);
    assert.match(refused.stderr, /regrain\.1 is there, and was not installed by this/);
    assert.deepEqual(filesBelow(prefix), [manual]);
    Deno.removeSync(`${prefix}/share`, { recursive: true });

    const line = `umask 077; exec "$0" run --quiet -A cli/ship/install.ts install --prefix "$1"`;
    const installed = run("sh", ["-c", line, Deno.execPath(), prefix], { cwd: ROOT, env: {} });
    assert.equal(installed.code, 0, installed.stderr);
    assert.equal(Deno.statSync(`${prefix}/lib/regrain`).mode! & 0o777, 0o755);
    const [, added] = /not on your PATH: (.*)\n$/.exec(installed.stdout)!;
    const found = run("sh", ["-c", `${added} && regrain --version`], { cwd: folder, env: {} });
    assert.equal(found.stdout, `${VERSION}\n`, found.stderr);

    const command = `${prefix}/bin/regrain`;
    const says = (exit: number, what: RegExp, ran: Ran) => {
      assert.equal(ran.code, exit, ran.stderr);
      assert.match(ran.stderr, what);
      // Shells have a line of their own for a folder that is gone.
      assert.equal(ran.stderr.match(/^(?!sh: ).+$/gm)?.length, 1, ran.stderr);
    };
    const gone = `mkdir gone && cd gone && rmdir ../gone && exec "$0" --version`;
    says(
      6,
      /the folder that it is run in is not there/,
      run("sh", ["-c", gone, command], { cwd: folder, env: {} }),
    );
    const named = { cwd: folder, env: { REGRAIN_DENO: "/no/deno" } };
    says(2, /REGRAIN_DENO names \/no\/deno/, run(command, ["--version"], named));
    Deno.removeSync(`${prefix}/lib/regrain/run.js`);
    says(2, /a part of the program is not there/, run(command, ["--version"], { cwd: folder, env: {} }));
    Deno.renameSync(prefix, `${folder}/moved`);
    says(
      2,
      /is not there: install it again/,
      run(`${folder}/moved/bin/regrain`, [], { cwd: folder, env: {} }),
    );
    const nowhere = ship("install", ["install", "--prefix", "/proc/regrain"]);
    assert.match(nowhere.stderr, /^install: \/proc\/regrain.*\n$/);
  }));

/** Deno's modules for Node.js take a third of a short run: no start loads one but what commander is made of. */
function assertStartsLean(program: string): void {
  const apply = [...Deno.readDirSync(program)].find(({ name }) => /^apply-\w+\.js$/.test(name))!.name;
  const loaded = new Set(["run.js", apply]);
  const builtins = new Set<string>();
  for (const name of loaded) {
    const text = Deno.readTextFileSync(`${program}/${name}`);
    for (const [, from] of text.matchAll(/^(?:import|\}) ?(?:.* )?(?:from )?"([^"]+)";$/gm)) {
      if (from!.startsWith("node:")) builtins.add(from!);
      else loaded.add(from!.replace("./", ""));
    }
  }
  assert.ok(loaded.size > 20, [...loaded].join(" "));
  assert.deepEqual([...builtins], ["node:events"]);
}

/** What makes this Deno say that it is an older one. */
function writeOlder(folder: string): string {
  const path = `${folder}/older.js`;
  Deno.writeTextFileSync(path, 'Object.defineProperty(Deno, "version", { value: { deno: "2.0.6" } });\n');
  return path;
}

Deno.test("an older Deno is told so by the bundle and by the sources, before it reads what it does not know", () =>
  withTempDir((folder) => {
    const older = writeOlder(folder);
    const start = (path: string, ...args: string[]) =>
      deno(["run", "--quiet", "-A", "--no-config", `--preload=${older}`, path, ...args], {
        cwd: folder,
        env: {},
      });
    const bundle = `${folder}/regrain.js`;
    shipWell("bundle", bundle);
    // All that is newer than the check is in one string.
    const text = Deno.readTextFileSync(bundle);
    const outside = text.replace(/, ".*"\)\(import\.meta\)/, "");
    assert.ok(outside.length < 3000, `${outside.length} bytes are read first`);
    for (const name of ["main", "deno_version", "version"]) {
      Deno.copyFileSync(`${ROOT}cli/${name}.ts`, `${folder}/${name}.ts`);
    }
    Deno.writeTextFileSync(`${folder}/run.ts`, "words of a newer language\n");
    for (const path of [bundle, `${folder}/main.ts`]) {
      const refused = start(path, "--version");
      const said = `regrain: Deno ${LEAST_DENO} or newer is needed, and this is Deno 2.0.6\n`;
      assert.deepEqual(refused, { code: 2, stdout: "", stderr: said });
      const error = JSON.parse(start(path, "info", "--json").stderr);
      assert.deepEqual([error.code, error.exit], ["USAGE", 2]);
    }
  }));

/** An older Deno, and none at all. */
function assertOldDenoSays(command: string, folder: string): void {
  const old = `${folder}/old-deno`;
  const older = writeOlder(folder);
  const script = `#!/bin/sh\nshift\nexec '${Deno.execPath()}' run --preload='${older}' "$@"\n`;
  Deno.writeTextFileSync(old, script, { mode: 0o755 });
  const at = { cwd: folder, env: { REGRAIN_DENO: old } };
  const refused = run(command, ["info", "x"], at);
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.equal(refused.stderr, `regrain: Deno ${LEAST_DENO} or newer is needed, and this is Deno 2.0.6\n`);
  assert.match(
    run(command, ["info", "x", "--json"], at).stderr,
    /^\{"type":"error","code":"USAGE","exit":2,/,
  );
  // As if the Deno that installed it had been removed since.
  const text = Deno.readTextFileSync(command).replaceAll(Deno.execPath(), `${folder}/missing`);
  Deno.writeTextFileSync(`${folder}/orphan`, text, { mode: 0o755 });
  const absent = run(`${folder}/orphan`, ["info", "x"], { cwd: folder, env: { PATH: "/nowhere" } });
  assert.equal(absent.code, 2, absent.stderr);
  assert.match(absent.stderr, /is needed, and there is none/);
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

testWithPeers(
  "the packed file runs from an empty folder, without network and without anything installed",
  ["unshare", "root-mount"],
  () =>
    withTempDir((folder) => {
      const packed = `${folder}/regrain`;
      shipWell("pack", packed);
      for (const name of ["home", "work", "shared"]) Deno.mkdirSync(`${folder}/${name}`);
      const at = {
        cwd: `${folder}/work`,
        // No Deno is on this path.
        env: { HOME: `${folder}/home`, PATH: "/bin", NO_COLOR: "1" },
        clearEnv: true,
      };
      const regrain = (...args: string[]) => run("/usr/bin/unshare", ["--net", packed, ...args], at);
      assertWorks(regrain, `${folder}/work`);
      assert.equal([...Deno.readDirSync(`${folder}/home/.cache`)].length, 1, "it unpacked itself once");

      // What a power loss left of it is unpacked again.
      const cache = `${folder}/home/.cache/regrain-${Deno.uid()}`;
      const [unpacked] = [...Deno.readDirSync(cache)].map(({ name }) => `${cache}/${name}/deno`);
      Deno.truncateSync(unpacked!, 4096);
      assert.equal(regrain("--version").stdout, `${VERSION}\n`);

      // What somebody else could have made is not run; another place is taken, or none.
      const uid = Deno.uid();
      Deno.symlinkSync(`${folder}/home/.cache/regrain-${uid}`, `${folder}/shared/regrain-${uid}`);
      const nowhere = { ...at.env, HOME: "/proc", TMPDIR: "/proc", REGRAIN_UNPACK_DIR: `${folder}/shared` };
      const refused = run(packed, ["--version"], { ...at, env: nowhere });
      assert.equal(refused.code, 6, refused.stderr);
      assert.match(refused.stderr, /REGRAIN_UNPACK_DIR/);

      // A copy that was cut, or changed on its way, starts nothing; nor does one that has no file to read from.
      const { size } = Deno.statSync(packed);
      const spoilt = Deno.openSync(packed, { write: true });
      spoilt.seekSync(size - 1000, Deno.SeekMode.Start);
      spoilt.writeSync(new TextEncoder().encode("spoilt"));
      spoilt.close();
      const fresh = { ...at, env: { ...at.env, HOME: `${folder}/fresh`, TMPDIR: `${folder}/fresh` } };
      for (const cut of [size, size - 2000, size / 2]) {
        Deno.truncateSync(packed, Math.floor(cut));
        const { code, stderr } = run(packed, ["--version"], fresh);
        assert.equal(code, 6, stderr);
        assert.match(stderr, /it was cut, or changed on its way\nhint: copy it again/);
      }
      const piped = run("/bin/sh", ["-c", `/bin/sh < '${packed}'`], fresh);
      assert.equal(piped.code, 6, piped.stderr);
      assert.match(piped.stderr, /cannot be run from a pipe/);
    }),
);
