/** The totals that the page shows, of every disk there is, against those of `regrain map --json`. */
import assert from "node:assert/strict";
import { CASES, type FixtureCase, writeCase } from "../../fixtures/mod.ts";
import { peer, testWithPeers, withTempDir } from "../helpers/peers.ts";
import { type PageState, pick, scanned, showView, type Watched, withBrowser, withPage } from "./browser.ts";
import { mapTotals } from "./truth.ts";

const SOUND = CASES.filter(({ expect }) => expect === "ok");

/** Real disks, each with every file that belongs to it. */
const SAMPLES = [
  ["plaso/image.vmdk"],
  ["vmdk-rs/monolithicSparse.vmdk"],
  ["vmdk-rs/streamOptimized.vmdk"],
  ["vmdk-rs/streamOptimizedWithMarkers.vmdk"],
  ["vmdk-rs/monolithicFlat.vmdk", "vmdk-rs/monolithicFlat-flat.vmdk"],
  ["vmdk-rs/twoGbMaxExtentSparse.vmdk", "vmdk-rs/twoGbMaxExtentSparse-s001.vmdk"],
  ["vmdk-rs/vmfs_thick.vmdk", "vmdk-rs/vmfs_thick-flat.vmdk"],
];

interface Disk {
  readonly name: string;
  readonly leaf: string;
  readonly files: readonly string[];
}

async function writeDisk(fixture: FixtureCase, folder: string): Promise<Disk> {
  const files = await writeCase(fixture, folder);
  return {
    name: fixture.name,
    leaf: `${folder}/${fixture.leaf}`,
    files: Object.keys(files).map((file) => `${folder}/${file}`),
  };
}

/** Opens each disk in one page, one after the other, and compares: the newest link alone, and all merged. */
async function compareAll(disks: readonly Disk[]): Promise<void> {
  const images = disks.map(({ leaf }) => leaf);
  const alone = mapTotals(images, { chain: false });
  const merged = mapTotals(images, { chain: true });
  await withBrowser((browser) =>
    withPage(browser, {}, async (watched) => {
      for (const [i, disk] of disks.entries()) {
        const shown = await totalsShown(watched, disk);
        assert.deepEqual(shown.alone, alone[i], disk.name);
        if (shown.merged) assert.deepEqual(shown.merged, merged[i], disk.name);
      }
    })
  );
}

async function totalsShown({ page }: Watched, { name, files }: Disk) {
  const { opened, troubles } = await pick(page, files);
  assert.ok(opened, `${name}: ${JSON.stringify(troubles)}`);
  const totals = ({ scan }: PageState) => scan?.totals;
  // One link is all there is: the page offers no choice.
  if (opened.links.length > 1) await showView(page, 0);
  const alone = totals(await scanned(page, 0));
  if (opened.links.length === 1) return { alone };
  await showView(page, "merged");
  return { alone, merged: totals(await scanned(page, "merged")) };
}

testWithPeers("the page has the totals of regrain map for every fixture", ["chromium"], async () => {
  await withTempDir(async (folder) => {
    const disks: Disk[] = [];
    for (const fixture of SOUND) disks.push(await writeDisk(fixture, `${folder}/${fixture.name}`));
    await compareAll(disks);
  });
});

testWithPeers("the page has the totals of regrain map for real disks", ["chromium", "samples"], async () => {
  const folder = peer("samples");
  const disks = SAMPLES.map((files): Disk => {
    const paths = files.map((file) => `${folder}/${file}`);
    return { name: files[0]!, leaf: paths[0]!, files: paths };
  });
  await compareAll(disks);
});
