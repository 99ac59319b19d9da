/** Input that is no disk, or none that can be read: the page says so, and goes on. */
import assert from "node:assert/strict";
import { buildDescriptor, caseNamed, CASES, type Files } from "../../fixtures/mod.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { mutationBases } from "../property/mutation_bases.ts";
import { nameOf, planMutants, seedOf } from "../property/mutation_plan.ts";
import { mutate } from "../property/mutations.ts";
import { drop, pick, pickFiles, stateOf, until, type Watched, withBrowser, withPage } from "./browser.ts";

const RUN_SEED = 7;
const MUTANT_COUNT = 60;

const SOUND = caseNamed("cowd-plain").make();

/** A page, and a folder for the files that it is given. */
async function inPage(fn: (watched: Watched, folder: string) => Promise<void>): Promise<void> {
  await withTempDir((folder) =>
    withBrowser((browser) => withPage(browser, {}, (watched) => fn(watched, folder)))
  );
}

/** The page is as good as new: it opens a sound disk, and scans it. */
async function assertGoesOn({ page }: Watched): Promise<void> {
  const { opened, troubles } = await drop(page, SOUND);
  assert.deepEqual(troubles, []);
  assert.equal(opened?.links.length, 2);
  await until(page, "scanning", ({ scan }) => scan?.finished === true);
}

/** What a person reads of a trouble: its message stands in the page. */
async function assertShown({ page }: Watched, message: string): Promise<void> {
  const text = await page.locator("body").innerText();
  assert.ok(text.includes(message), `the page does not say: ${message}`);
}

const bytes = (text: string) => new TextEncoder().encode(text);

const REFUSED: Record<string, { files: Files; says: RegExp }> = {
  "a text": { files: { "notes.txt": bytes("nothing of a disk\n".repeat(100)) }, says: /./ },
  "an empty file": { files: { "disk.vmdk": new Uint8Array() }, says: /empty/ },
  "a header that ends early": {
    files: { "disk-000001-delta.vmdk": SOUND["disk-000001-delta.vmdk"]!.slice(0, 700) },
    says: /./,
  },
  "a descriptor whose files were not given": {
    files: { "disk-000001.vmdk": SOUND["disk-000001.vmdk"]! },
    says: /disk-000001-delta\.vmdk/,
  },
  "a map that is none": { files: { "map.json": bytes('{"version":1,"runs":[{}]}') }, says: /./ },
};

for (const [what, { files, says }] of Object.entries(REFUSED)) {
  testWithPeers(
    `${what} is refused in words, and the page goes on`,
    ["chromium"],
    () =>
      inPage(async (watched) => {
        const { opened, troubles: [trouble] } = await drop(watched.page, files);
        assert.equal(opened, undefined);
        assert.match(`${trouble!.path} ${trouble!.message}`, says);
        await assertShown(watched, trouble!.message);
        await assertGoesOn(watched);
      }),
  );
}

testWithPeers(
  "every fixture that is to be refused is refused, or opened with remarks",
  ["chromium"],
  () =>
    inPage(async (watched, folder) => {
      const wrong: string[] = [];
      for (const fixture of CASES.filter(({ expect }) => expect !== "ok")) {
        const before = (await stateOf(watched.page)).opened;
        const { opened, troubles: [trouble] } = await pickFiles(watched.page, folder, fixture.make());
        // What was open stays when something is refused.
        if (trouble && !opened) assert.equal(before, undefined, fixture.name);
        else if (!opened) wrong.push(`${fixture.name}: not a word`);
        if (trouble?.code === "BUG") wrong.push(`${fixture.name}: ${trouble.message}`);
      }
      assert.deepEqual(wrong, []);
      await assertGoesOn(watched);
    }),
);

testWithPeers(
  "mutants of sound disks are opened or refused, and the page goes on",
  ["chromium"],
  () =>
    inPage(async (watched, folder) => {
      const bases = mutationBases();
      const pool = bases.flatMap(({ files }) => Object.values(files));
      const texts = ['# Disk DescriptorFile\nversion=1\nCID=5eed0001\nRW 8 FLAT "disk-flat.vmdk" 0\n'];
      for (const planned of planMutants(bases, MUTANT_COUNT)) {
        const { files, changes } = mutate(planned.base, { seed: seedOf(planned, RUN_SEED), pool, texts });
        const { opened, troubles } = await pickFiles(watched.page, folder, files);
        const name = `${nameOf(planned)}: ${changes.join("; ")}`;
        assert.ok(opened || troubles[0]!.message.length > 0, name);
        assert.deepEqual(watched.complaints, [], name);
      }
      await assertGoesOn(watched);
    }),
);

testWithPeers("of two disks that have nothing to do with each other one is opened, and the other named", [
  "chromium",
], () =>
  inPage(async (watched) => {
    const other = Object.values(caseNamed("hosted-monolithic").make())[0]!;
    const { opened } = await drop(watched.page, { ...SOUND, "stranger.vmdk": other });
    assert.ok(opened!.remarks.some((remark) => remark.includes("stranger.vmdk")), opened!.remarks.join("; "));
    await assertShown(watched, "stranger.vmdk");
  }));

testWithPeers(
  "a base on which the delta was not made is told from one that matches",
  ["chromium"],
  () =>
    inPage(async (watched) => {
      const { opened: sound } = await drop(watched.page, SOUND);
      assert.equal(sound!.links[0]!.verdict!.state, "match");
      const { opened, troubles } = await drop(watched.page, caseNamed("refused-chain-cid-mismatch").make());
      const verdict = opened?.links[0]?.verdict;
      const said = troubles[0]?.message ?? verdict?.sentences.join(" ") ?? "";
      assert.ok(verdict?.state === "mismatch" && /CID/.test(said), said);
    }),
);

testWithPeers(
  "a file that changes while it is open is told, and the page goes on",
  ["chromium"],
  () =>
    inPage(async (watched, folder) => {
      for (const [name, contents] of Object.entries(SOUND)) {
        await Deno.writeFile(`${folder}/${name}`, contents);
      }
      await pick(
        watched.page,
        Object.keys(SOUND).map((name) => `${folder}/${name}`),
      );
      await until(watched.page, "scanning", ({ scan }) => scan?.finished === true);
      for (const name of Object.keys(SOUND)) {
        await Deno.writeFile(`${folder}/${name}`, new Uint8Array(1 << 16), { append: true });
      }
      await showAnything(watched);
      const { troubles } = await until(watched.page, "trouble", ({ troubles }) => troubles.length > 0);
      await assertShown(watched, troubles[0]!.message);
      await assertGoesOn(watched);
    }),
);

/** Something that reads the files anew. */
async function showAnything({ page }: Watched): Promise<void> {
  const { tab } = await stateOf(page);
  await page.getByRole("tab", { name: tab === "hex" ? /structure/i : /bytes/i }).click();
}

testWithPeers(
  "E7: a name that turns the direction of writing is shown as what it is",
  ["chromium"],
  () =>
    inPage(async (watched) => {
      const name = "vm\u202ekdmv.\u009b\u2066exe";
      const descriptor = buildDescriptor({
        createType: "vmfs",
        parentCid: "1",
        parentFileNameHint: `${name}.vmdk`,
        extents: [{ sectors: 8, type: "VMFS", file: `${name}-flat.vmdk` }],
      });
      const { page } = watched;
      await drop(page, { [`${name}.vmdk`]: descriptor, [`${name}-flat.vmdk`]: new Uint8Array(4096) });
      await drop(page, { [`${name}.vmdk`]: descriptor });
      const spoken = await page.locator("[title], [aria-label]").evaluateAll((elements) =>
        elements.map((element) => `${element.getAttribute("title")} ${element.getAttribute("aria-label")}`)
      );
      const text = await page.locator("body").innerText() + spoken.join();
      assert.ok(text.includes("vm\\u202ekdmv.\\u009b\\u2066exe"), text.slice(0, 2000));
      assert.doesNotMatch(text, /[\u0080-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/);
    }),
);
