/// <reference lib="dom" />
/** Chain, comparison and partitions of the disk that is shown. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { buildCowd, caseNamed, dataGrains, deltaFiles, sequence } from "../../fixtures/mod.ts";
import { feed, withImage } from "../helpers/guest_image.ts";
import { run, testWithPeers, withTempDir } from "../helpers/peers.ts";
import {
  allScanned,
  drop,
  type PageState,
  pickFiles,
  scanned,
  showView,
  until,
  withBrowser,
  withPage,
} from "./browser.ts";

const CHAIN = caseNamed("chain-two-cowd-links");
const MIB = 1 << 20;

function inPage(fn: (page: Page) => Promise<void>): Promise<void> {
  return withBrowser((browser) => withPage(browser, {}, ({ page }) => fn(page)));
}

testWithPeers(
  "the comparison counts, and leads to the first bytes that differ, repeat or are zero",
  ["chromium"],
  () =>
    inPage(async (page) => {
      await drop(page, CHAIN.make());
      await page.getByTestId("compare").getByRole("button").click();
      const isDone = ({ compared }: { compared?: { finished: boolean } | undefined }) =>
        compared?.finished === true;
      const { compared } = await until(page, "comparing", isDone);
      assert.ok(compared!.changedBytes > 0);
      assert.equal(compared!.changedBytes + compared!.identicalBytes, compared!.comparedBytes);
      const words = await page.getByTestId("compare").innerText();
      for (const name of ["Really changed", "Allocated but identical", "Allocated but all zero"]) {
        assert.ok(words.includes(name), name);
      }
      const lists = page.getByTestId("compare").locator("details");
      const kinds = (["changed", "identical", "zero"] as const).filter((kind) =>
        compared!.first[kind].length
      );
      assert.equal(await lists.count(), kinds.length);
      await lists.first().locator("summary").click();
      await lists.first().getByRole("button").nth(1).click();
      const { tab, position } = await until(page, "bytes", ({ tab }) => tab === "hex");
      assert.deepEqual([tab, position.hexOffsetBytes], ["hex", compared!.first.changed[1]!.startBytes]);
      await page.locator(".hex .chosen.differs").waitFor();
    }),
);

testWithPeers(
  "merged, the chain says which link owns the cursor's sector, and colours the map",
  ["chromium"],
  () =>
    inPage(async (page) => {
      await drop(page, CHAIN.make());
      await showView(page, "merged");
      await scanned(page, "merged");
      await page.locator("body").press("4");
      const owners = new Set<string>();
      let last = (await until(page, "cursor", () => true)).position.cursorSector;
      for (let i = 0; i < 12; i++) {
        await page.locator("body").press("n");
        const moved = ({ position }: PageState) => position.cursorSector > last;
        last = (await until(page, "n", moved)).position.cursorSector;
        await page.getByTestId("chain").getByText(new RegExp(`^Sector ${last}: `)).waitFor();
        for (const owner of await page.locator(".chain .here strong").allInnerTexts()) owners.add(owner);
      }
      assert.ok(owners.size > 1, `${[...owners]} owns everything`);
      await page.getByRole("button", { name: "Colour the map by link" }).click();
      await until(page, "map", ({ tab, view }) => tab === "map" && view === "merged");
      const legend = await page.locator(".legend").innerText();
      for (const name of ["disk-000002.vmdk", "disk-000001.vmdk", "disk.vmdk"]) {
        assert.ok(legend.includes(name));
      }
      const pressed = page.getByRole("button", { name: "Colour by link" });
      assert.equal(await pressed.getAttribute("aria-pressed"), "true");
    }),
);

testWithPeers("n and p go from change to change and back", ["chromium"], () =>
  inPage(async (page) => {
    const { opened } = await drop(page, CHAIN.make());
    await allScanned(page);
    const cursor = async () => (await until(page, "cursor", () => true)).position.cursorSector;
    const visited = [await cursor()];
    for (let i = 0; i < 4; i++) {
      const before = visited.at(-1)!;
      await page.locator("body").press("n");
      visited.push(
        (await until(page, "n", ({ position }) => position.cursorSector > before)).position.cursorSector,
      );
    }
    for (const place of visited.slice(1, -1).reverse()) {
      await page.locator("body").press("p");
      await until(page, "p", ({ position }) => position.cursorSector === place);
    }
    assert.ok(visited.at(-1)! < opened!.capacitySectors);
  }));

/** Partition tables as sfdisk takes them, and the names of what is to be shown. */
const TABLES = {
  mbr: {
    words:
      "label: dos\n1: size=4MiB,type=83\n2: size=16MiB,type=5\n5: size=4MiB,type=82\n6: size=3MiB,type=83\n",
    scheme: /mbr/i,
    parts: 3,
  },
  gpt: { words: "label: gpt\nsize=4MiB\nsize=8MiB,type=uefi\n", scheme: /gpt/i, parts: 2 },
};

for (const [name, { words, scheme, parts }] of Object.entries(TABLES)) {
  testWithPeers(
    `partitions are named, with how much of each a delta changes: ${name}`,
    ["chromium", "sfdisk", "mkfs.ext4"],
    () =>
      withImage(32 * MIB, async (image) => {
        feed(words, "sfdisk", ["--quiet", image]);
        run("mkfs.ext4", ["-q", "-F", "-E", `offset=${MIB}`, "-L", "changed", image, "4096k"]);
        const capacitySectors = 32 * MIB / 512;
        const grains = dataGrains(sequence({ from: MIB / 65536 + 32, count: 16 }));
        const cowd = buildCowd({ seed: 3, capacitySectors, grainSectors: 128, grains });
        const descriptor = { parentFileNameHint: "base.vmdk" };
        const delta = deltaFiles({ kind: "cowd", bytes: cowd.bytes, capacitySectors, descriptor });
        await withTempDir((folder) =>
          inPage(async (page) => {
            const { opened } = await pickFiles(page, folder, {
              ...delta,
              "disk.img": await Deno.readFile(image),
            });
            assert.equal(opened?.links.length, 2, opened?.remarks.join("; "));
            const { areas } = await until(
              page,
              "partitions",
              ({ areas, scan }) => areas !== undefined && scan?.finished === true,
            );
            assert.match(areas!.scheme, scheme);
            const partitions = areas!.areas.filter(({ kind }) => kind === "partition");
            assert.equal(partitions.length, parts);
            assert.deepEqual(partitions.map(({ dataBytes }) => dataBytes), [
              MIB,
              ...Array(parts - 1).fill(0),
            ]);
            const row = page.getByTestId("partitions").getByRole("row", { name: /p1/ });
            assert.match(await row.innerText(), /ext4 changed[^]*25 %/);
            await row.getByRole("button").click();
            await until(
              page,
              "zooming",
              ({ tab, position }) => tab === "map" && position.cursorSector === MIB / 512,
            );
            await page.locator("body").press("g");
            await page.getByTestId("hex-goto").fill("p2+512");
            await page.getByTestId("hex-goto").press("Enter");
            const second = partitions[1]!.startBytes + 512;
            await until(page, "p2+512", ({ position }) => position.hexOffsetBytes === second);
          })
        );
      }),
  );
}
