/**
 * Every fixture that can be read, applied by the program and read by qemu-img through the leaf's descriptor: both give
 * what the fixture says it reads as.
 *
 * What qemu-img refuses or reads wrong is listed with the reason, and asserted for the release that the list was made
 * with; for another release a difference is printed, since it is no fault of ours.
 */
import assert from "node:assert/strict";
import { CASES, type FixtureCase, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds, sameBytes } from "../helpers/bytes.ts";
import { regrainExits } from "../helpers/cli.ts";
import { peer, testWithPeers, tryRun, withTempDir } from "../helpers/peers.ts";

type Reading = "right" | "wrong" | "refused";

interface Listed {
  readonly reading: Exclude<Reading, "right">;
  readonly why: string;
}

const LIST_MADE_WITH = "7.2.";

const zeroGrain = (why: string): Listed => ({ reading: "wrong", why });
const redundant: Listed = { reading: "wrong", why: "the redundant directory is not consulted" };
const custom: Listed = { reading: "refused", why: "createType custom is not known" };
const keys: Listed = { reading: "refused", why: "keys are compared with case, and without blanks" };
const hint: Listed = { reading: "refused", why: "a hint is followed as written or not at all" };

const QEMU_DIFFERS: Readonly<Record<string, Listed>> = {
  "cowd-grain-128-last-grain-overhangs": zeroGrain("entry 1 is read as file sector 1 and what follows"),
  "cowd-zero-grains-and-a-long-parent-name": zeroGrain("entry 1 is read as file sector 1: header text"),
  "hosted-unflagged-entry-1": zeroGrain("without flag bit 2 entry 1 is read as file sector 1"),
  "hosted-directory-entry-damaged": redundant,
  "hosted-table-damaged": redundant,
  "stream-front-without-markers": { reading: "refused", why: "grains without markers are not known" },
  "split-sparse-old-create-type": { reading: "refused", why: "createType 2GbMaxExtentSparse is not known" },
  "split-zero-extent-in-the-middle": custom,
  "split-read-only-extent": custom,
  "split-flat-extents-of-one-file": custom,
  "descriptor-blanks-around-equals": keys,
  "descriptor-keys-in-capitals": keys,
  "descriptor-keys-in-small-letters": keys,
  "hint-of-a-datastore": hint,
  "hint-of-windows": hint,
  "hint-of-a-folder-that-moved": hint,
  "name-with-quotes": { reading: "refused", why: "a name ends at its first quote" },
  "name-in-windows-1252": { reading: "refused", why: "the key encoding is not read" },
};

const READABLE = CASES.filter((fixture) => fixture.expect === "ok");

Deno.test("the list of what qemu-img reads otherwise names readable fixtures only", () => {
  const names = new Set(READABLE.map(({ name }) => name));
  assert.deepEqual(Object.keys(QEMU_DIFFERS).filter((name) => !names.has(name)), []);
});

for (const fixture of READABLE) {
  testWithPeers(
    `${fixture.name}: apply writes what the fixture reads as, and qemu-img reads the same`,
    ["qemu-img"],
    () =>
      withTempDir(async (folder) => {
        await writeCase(fixture, folder);
        const expected = fixture.expected!();
        for (const target of applyEveryWay(fixture, folder)) assertFileHolds(target, expected);
        assertListed(fixture.name, readByQemu(fixture, folder, expected));
      }),
  );
}

/** By list and by chain onto a copy of the base, or onto a new file where there is no base; the targets. */
function applyEveryWay(fixture: FixtureCase, folder: string): string[] {
  const path = (name: string) => `${folder}/${name}`;
  if (fixture.links.length === 0) {
    regrainExits(0, ["apply", "--create", path(fixture.leaf), path("created.raw")]);
    return [path("created.raw")];
  }
  const byList = path("list.raw");
  const byChain = path("chain.raw");
  copyBase(fixture, folder, byList);
  Deno.copyFileSync(byList, byChain);
  regrainExits(0, ["apply", ...fixture.links.map(path), byList]);
  regrainExits(0, ["apply", "--chain", path(fixture.leaf), byChain]);
  return [byList, byChain];
}

/** The flat base as a raw image, as large as the newest link. */
function copyBase(fixture: FixtureCase, folder: string, target: string): void {
  const { flat, descriptor } = fixture.base!;
  if (flat !== undefined) Deno.copyFileSync(`${folder}/${flat}`, target);
  else regrainExits(0, ["apply", "--create", `${folder}/${descriptor}`, target]);
  Deno.truncateSync(target, fixture.capacitySectors * 512);
}

function readByQemu(fixture: FixtureCase, folder: string, expected: Uint8Array): Reading {
  const leaf = `${folder}/${fixture.leaf}`;
  const converted = `${folder}/qemu.raw`;
  const flags = ["-t", "unsafe", "-f", "vmdk", "-O", "raw"];
  if (tryRun(peer("qemu-img")!, ["convert", ...flags, leaf, converted]).code !== 0) return "refused";
  if (!sameBytes(Deno.readFileSync(converted), expected)) return "wrong";
  const ours = fixture.links.length === 0 ? "created.raw" : "chain.raw";
  const compared = tryRun(peer("qemu-img")!, [
    "compare",
    "-f",
    "vmdk",
    "-F",
    "raw",
    leaf,
    `${folder}/${ours}`,
  ]);
  assert.equal(compared.code, 0, `qemu-img compare: ${compared.stdout}${compared.stderr}`);
  return "right";
}

function assertListed(name: string, reading: Reading): void {
  const listed = QEMU_DIFFERS[name]?.reading ?? "right";
  if (reading === listed) return;
  const message = `${name}: qemu-img's reading is ${reading}, the list says ${listed}`;
  const version = tryRun(peer("qemu-img")!, ["--version"]).stdout;
  if (version.includes(` ${LIST_MADE_WITH}`)) assert.fail(message);
  console.log(`${message}; the list was made with ${LIST_MADE_WITH}x`);
}
