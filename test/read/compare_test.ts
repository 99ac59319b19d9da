/** `regrain compare`, as a user runs it; and `qemu-img compare` beside it. */
import assert from "node:assert/strict";
import { MIB } from "../../core-as/host/mod.ts";
import { CASES, writeCase } from "../../fixtures/mod.ts";
import { regrainCommand, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, tryRun, withLoop, withTempDir } from "../helpers/peers.ts";

const SIZE_BYTES = 3 * MIB;

function filled(lengthBytes = SIZE_BYTES): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => i % 251 + 1);
}

function changed(offsetBytes: number): Uint8Array {
  const bytes = filled();
  bytes[offsetBytes] = 0;
  return bytes;
}

function padded(lastByte: number): Uint8Array {
  const bytes = new Uint8Array(SIZE_BYTES + MIB);
  bytes.set(filled());
  bytes[bytes.length - 1] = lastByte;
  return bytes;
}

/** A file of the size of `filled` with data in the middle and holes around it; the other with zeros written there. */
function writeMiddle(path: string, how: "holes" | "zeros"): void {
  using file = Deno.openSync(path, { create: true, write: true, truncate: true });
  if (how === "zeros") file.writeSync(new Uint8Array(SIZE_BYTES));
  file.truncateSync(SIZE_BYTES);
  file.seekSync(MIB, Deno.SeekMode.Start);
  file.writeSync(filled(MIB));
}

/** Pairs of raw images with the exit status without and with `--strict`. */
const PAIRS: Record<string, { write: (a: string, b: string) => void; exit: 0 | 1; strict: 0 | 1 }> = {
  "equal files": { write: both(filled(), filled()), exit: 0, strict: 0 },
  "files whose first byte differs": { write: both(filled(), changed(0)), exit: 1, strict: 1 },
  "files whose last byte differs": { write: both(changed(SIZE_BYTES - 1), filled()), exit: 1, strict: 1 },
  "a larger file with a tail of zeros": { write: both(filled(), padded(0)), exit: 0, strict: 1 },
  "a smaller file with a tail of zeros": { write: both(padded(0), filled()), exit: 0, strict: 1 },
  "a larger file with data at its end": { write: both(filled(), padded(1)), exit: 1, strict: 1 },
  "holes and zeros": {
    write: (a, b) => {
      writeMiddle(a, "holes");
      writeMiddle(b, "zeros");
    },
    exit: 0,
    strict: 0,
  },
};

function both(first: Uint8Array, second: Uint8Array) {
  return (a: string, b: string) => {
    Deno.writeFileSync(a, first);
    Deno.writeFileSync(b, second);
  };
}

for (const [name, { write, exit, strict }] of Object.entries(PAIRS)) {
  Deno.test(`compare: ${name} exit ${exit}, under --strict ${strict}`, () =>
    withTempDir((cwd) => {
      write(`${cwd}/a.img`, `${cwd}/b.img`);
      const { stdout } = regrainExits(exit, ["compare", "a.img", "b.img"], { cwd });
      assert.match(stdout, exit === 0 ? /^equal/ : /^different/);
      regrainExits(strict, ["compare", "--strict", "a.img", "b.img"], { cwd });
    }));

  testWithPeers(
    `compare: qemu-img compare has the same exit status for ${name}`,
    ["qemu-img"],
    () =>
      withTempDir((folder) => {
        const paths = [`${folder}/a.img`, `${folder}/b.img`] as const;
        write(...paths);
        const compare = ["compare", "-q", "-f", "raw", "-F", "raw"];
        assert.equal(tryRun("qemu-img", [...compare, ...paths]).code, exit);
        // qemu-img counts holes beside zeros as a difference under -s; here they read the same, so they are.
        if (name !== "holes and zeros") {
          assert.equal(tryRun("qemu-img", [...compare, "-s", ...paths]).code, strict);
        }
      }),
  );
}

Deno.test("compare: what differs is told in words and as JSON", () =>
  withTempDir((cwd) => {
    both(filled(), changed(MIB))(`${cwd}/a.img`, `${cwd}/b.img`);
    const text = regrainExits(1, ["compare", "a.img", "b.img"], { cwd }).stdout;
    const value = `0x${(MIB % 251 + 1).toString(16).padStart(2, "0")}`;
    assert.equal(
      text,
      `different: the first at byte ${MIB}\n  ${value} in a.img\n  0x00 in b.img\n` +
        "  1 byte in 1 block of 4 KiB differ\n",
    );
    const json = JSON.parse(regrainExits(1, ["compare", "--json", "a.img", "b.img"], { cwd }).stdout);
    assert.equal(typeof json.elapsedMs, "number");
    delete json.elapsedMs;
    assert.deepEqual(json, {
      images: ["a.img", "b.img"],
      sizesBytes: [SIZE_BYTES, SIZE_BYTES],
      equal: false,
      sameSize: true,
      sameContent: false,
      first: { offsetBytes: MIB, values: [value, "0x00"] },
      differingBytes: 1,
      differingBlocks: 1,
      blockBytes: 4096,
      comparedBytes: SIZE_BYTES,
      readBytes: SIZE_BYTES,
    });
  }));

Deno.test("compare: a difference behind the end of the smaller disk has no value there", () =>
  withTempDir((cwd) => {
    both(filled(), padded(1))(`${cwd}/a.img`, `${cwd}/b.img`);
    const json = JSON.parse(regrainExits(1, ["compare", "--json", "a.img", "b.img"], { cwd }).stdout);
    assert.deepEqual(json.first, { offsetBytes: SIZE_BYTES + MIB - 1, values: [null, "0x01"] });
    assert.deepEqual([json.sameSize, json.sameContent], [false, false]);
  }));

const CHAINS = CASES.filter((fixture) => fixture.expect === "ok" && fixture.links.length > 1);

Deno.test("compare: a chain is the raw image that it was applied to, and not the one without its newest link", () =>
  withTempDir(async (folder) => {
    assert.ok(CHAINS.length > 3);
    for (const fixture of CHAINS.slice(0, 3)) {
      const cwd = `${folder}/${fixture.name}`;
      await writeCase(fixture, cwd);
      Deno.writeFileSync(`${cwd}/expected.img`, fixture.expected!());
      regrainExits(0, ["compare", fixture.leaf, "expected.img"], { cwd });
      regrainExits(1, ["compare", fixture.links.at(-2)!, "expected.img"], { cwd });
    }
  }));

testWithPeers(
  "compare: qemu-img compare agrees about a chain",
  ["qemu-img"],
  () =>
    withTempDir(async (cwd) => {
      const fixture = CASES.find(({ name }) => name === "chain-two-cowd-links")!;
      await writeCase(fixture, cwd);
      const expected = fixture.expected!();
      Deno.writeFileSync(`${cwd}/expected.img`, expected);
      expected[expected.length - 1]! ^= 1;
      Deno.writeFileSync(`${cwd}/other.img`, expected);
      for (const [name, exit] of [["expected.img", 0], ["other.img", 1]] as const) {
        regrainExits(exit, ["compare", fixture.leaf, name], { cwd });
        const args = ["compare", "-q", "-f", "vmdk", "-F", "raw", `${cwd}/${fixture.leaf}`, `${cwd}/${name}`];
        assert.equal(tryRun("qemu-img", args).code, exit);
      }
    }),
);

Deno.test("compare: a delta whose parent nobody names is refused, it is no disk", () =>
  withTempDir(async (cwd) => {
    const fixture = CASES.find(({ name }) => name === "chain-two-cowd-links")!;
    const files = await writeCase(fixture, cwd);
    Deno.removeSync(`${cwd}/disk-000001.vmdk`);
    Deno.writeFileSync(`${cwd}/raw.img`, files["disk-flat.vmdk"]!);
    const { hint } = regrainRefuses(
      { code: "NOT_FOUND", exit: 4 },
      ["compare", "raw.img", "disk-000001-delta.vmdk"],
      { cwd },
    );
    assert.match(hint ?? "", /keep the descriptor/);
    regrainExits(2, ["compare", "raw.img"], { cwd });
  }));

testWithPeers("compare: a device and a file", ["root-loop"], () =>
  withTempDir(async (cwd) => {
    both(filled(), filled())(`${cwd}/a.img`, `${cwd}/b.img`);
    await withLoop(`${cwd}/b.img`, (device) => {
      regrainExits(0, ["compare", "a.img", device], { cwd });
      regrainExits(0, ["compare", "--io", "portable", device, "a.img"], { cwd });
    });
    both(filled(), changed(SIZE_BYTES - 1))(`${cwd}/a.img`, `${cwd}/b.img`);
    await withLoop(`${cwd}/b.img`, (device) => {
      const json = JSON.parse(regrainExits(1, ["compare", "--json", device, "a.img"], { cwd }).stdout);
      assert.equal(json.first.offsetBytes, SIZE_BYTES - 1);
    });
  }));

testWithPeers(
  "compare: Ctrl-C ends it at once, and it has written nothing",
  ["truncate"],
  () =>
    withTempDir(async (cwd) => {
      // Data enough that it cannot be through before the signal comes: a file without FFI is read with all its holes.
      for (const name of ["a.img", "b.img"]) run("truncate", ["-s", "1T", `${cwd}/${name}`]);
      const child = regrainCommand(["compare", "--io", "portable", "--progress", "json", "a.img", "b.img"], {
        cwd,
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const reader = child.stderr.getReader();
      assert.match(new TextDecoder().decode((await reader.read()).value), /"type":"progress"/);
      child.kill("SIGINT");
      const { code, signal } = await child.status;
      await reader.cancel();
      assert.equal(await new Response(child.stdout).text(), "");
      assert.deepEqual({ code, signal }, { code: 130, signal: "SIGINT" });
      for (const name of ["a.img", "b.img"]) {
        assert.equal(Deno.statSync(`${cwd}/${name}`).size, 2 ** 40);
        assert.equal(Deno.statSync(`${cwd}/${name}`).blocks, 0);
      }
    }),
);

Deno.test("C10: compare -q speaks by its exit status alone", () =>
  withTempDir((cwd) => {
    both(filled(), changed(0))(`${cwd}/a.img`, `${cwd}/b.img`);
    const silent = { stdout: "", stderr: "" };
    assert.deepEqual(regrainExits(0, ["compare", "-q", "a.img", "a.img"], { cwd }), { code: 0, ...silent });
    assert.deepEqual(regrainExits(1, ["compare", "-q", "a.img", "b.img"], { cwd }), { code: 1, ...silent });
  }));
