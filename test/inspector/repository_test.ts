/// <reference lib="dom" />
/** Backup repositories in the page: chosen, dropped, served; what is new in a snapshot, and what is damaged. */
import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { CHUNK, DISK, diskOf, RepositoryFolder } from "../backup_cli/repository_folder.ts";
import { regrainRefuses } from "../helpers/cli.ts";
import { withInspector } from "../helpers/inspector.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { settle, violations } from "./axe.ts";
import {
  dropPaths,
  PAGE_URL,
  type PageState,
  REPOSITORY_PAGE_URL,
  until,
  withBrowser,
  withPage,
} from "./browser.ts";

const FIRST = "abc..def.k";
const SECOND = "abX...ef.k";

interface Place {
  readonly page: Page;
  readonly repository: RepositoryFolder;
  /** Snapshots, oldest first. */
  readonly ids: readonly string[];
}

/** Two snapshots of a disk, and a page that has not seen them yet. */
function withTwo(fn: (place: Place) => Promise<void>, url = REPOSITORY_PAGE_URL): Promise<void> {
  return withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const ids = [repository.backUp(FIRST, ["--tag", "first"]), repository.backUp(SECOND)];
    return withBrowser((browser) => withPage(browser, { url }, ({ page }) => fn({ page, repository, ids })));
  });
}

/** Chooses the folder, as the button does it. */
async function choose(page: Page, path: string): Promise<PageState> {
  await page.getByTestId("folder-picker").setInputFiles(path);
  return await answered(page);
}

function answered(page: Page): Promise<PageState> {
  return until(page, "opening", ({ opening, repository, troubles }) => {
    return !opening && (repository !== undefined || troubles.length > 0);
  });
}

/** Opens a snapshot by its row, and waits until all is known of it. */
async function show(page: Page, id: string): Promise<PageState> {
  const list = page.getByTestId("snapshots");
  if (await list.getAttribute("open") === null) await list.locator("summary").click();
  await list.getByRole("row", { name: id }).getByRole("button").click();
  return await until(page, `showing ${id}`, ({ opened, scan, difference, areas }) => {
    return opened?.snapshot?.id === id && scan?.finished === true && difference !== undefined && !!areas;
  });
}

/** What the map says of the cell at a place. */
async function cellAt(page: Page, offsetBytes: number): Promise<string> {
  await page.getByTestId("tab-hex").click();
  await page.getByTestId("hex-goto").fill(`0x${offsetBytes.toString(16)}`);
  await page.getByTestId("hex-goto").press("Enter");
  await until(page, "going", ({ position }) => position.hexOffsetBytes === offsetBytes);
  await page.getByTestId("tab-map").click();
  const words = page.getByTestId("map-live");
  await words.getByText(new RegExp(`Sector ${offsetBytes / 512}:`)).waitFor();
  return (await words.innerText()).split(" Sector ")[0]!;
}

testWithPeers(
  "a repository is listed, and a snapshot is the disk that was backed up",
  ["chromium"],
  () =>
    withTwo(async ({ page, repository, ids }) => {
      const { snapshots } = (await choose(page, repository.path)).repository!;
      assert.deepEqual(snapshots.map(({ id }) => id), ids.toReversed());
      assert.deepEqual(snapshots.map(({ name, tags }) => [name, ...tags]), [[DISK], [DISK, "first"]]);
      const { scan } = await show(page, ids[0]!);
      const disk = diskOf(FIRST);
      assert.deepEqual([scan!.totals.dataBytes, scan!.totals.zeroBytes], [
        disk.length - 3 * CHUNK,
        3 * CHUNK,
      ]);
      await page.locator("body").press("2");
      const rows = page.getByTestId("hex").locator("[data-offset], .row, div").first();
      await rows.waitFor();
      const [a, b] = [...disk.subarray(0, 2)].map((byte) => byte.toString(16).padStart(2, "0"));
      assert.match(await page.getByTestId("hex").innerText(), new RegExp(`${a}\\s+${b}`));
    }),
);

testWithPeers(
  "the map tells new chunks, reused ones and zeros apart",
  ["chromium"],
  () =>
    withTwo(async ({ page, repository, ids }) => {
      await choose(page, repository.path);
      const { difference, opened } = await show(page, ids[1]!);
      assert.equal(opened!.snapshot!.against, ids[0]);
      const runs = difference!.runs.map(({ startBytes, lengthBytes, kind }) =>
        `${kind} ${startBytes / CHUNK} ${lengthBytes / CHUNK}`
      );
      assert.deepEqual(runs, ["data 2 1", "zero 5 1"]);
      const told = [];
      for (const chunk of [1, 2, 3, 5]) told.push(await cellAt(page, chunk * CHUNK));
      assert.match(told[0]!, /: reused, 100 % data/);
      assert.match(told[1]!, /: new, 100 % data/);
      assert.match(told[2]!, /: 100 % zeroed/);
      assert.match(told[3]!, /: new zeros, 100 % zeroed/);
      const legend = await page.locator(".legend").innerText();
      for (const words of ["new chunk", "reused chunk", "new zeros", "damage"]) {
        assert.ok(legend.includes(words));
      }
    }),
);

testWithPeers(
  "two snapshots are compared either way, and each stretch leads to its bytes",
  ["chromium"],
  () =>
    withTwo(async ({ page, repository, ids }) => {
      await choose(page, repository.path);
      const first = await show(page, ids[0]!);
      assert.equal(first.difference!.against, undefined);
      await page.getByTestId("against").selectOption(ids[1]!);
      const isCompared = ({ difference }: PageState) => difference?.against === ids[1];
      const { difference } = await until(page, "comparing", isCompared);
      assert.deepEqual([difference!.dataBytes, difference!.zeroBytes], [2 * CHUNK, 0]);
      await page.locator("body").press("n");
      await until(page, "next change", ({ position }) => position.cursorSector === 2 * CHUNK / 512);
      await page.getByTestId("difference").getByRole("row").nth(2).getByRole("button").click();
      const { position, tab } = await until(page, "bytes", ({ tab }) => tab === "hex");
      assert.deepEqual([tab, position.hexOffsetBytes], ["hex", 5 * CHUNK]);
    }),
);

testWithPeers(
  "a damaged chunk is told where its bytes should be, and stands on the map",
  ["chromium"],
  () =>
    withTwo(async ({ page, repository, ids }) => {
      const before = new Set(repository.keys("chunks/"));
      const id = repository.backUp("abX..Qef.k");
      const added = repository.keys("chunks/").filter((key) => !before.has(key));
      assert.equal(added.length, 1);
      repository.flip(added[0]!);
      await choose(page, repository.path);
      await show(page, id);
      await page.getByTestId("check-chunks").getByRole("button").click();
      const { checked } = await until(page, "checking", ({ checked }) => checked?.finished === true);
      assert.deepEqual([checked!.doneChunks, checked!.damagedChunks], [7, 1]);
      await page.getByTestId("damage").getByText(/1 damage/).waitFor();
      assert.match(await cellAt(page, 5 * CHUNK), /damaged/);
      await page.locator("body").press("2");
      const message = await page.getByTestId("unreadable").innerText();
      assert.match(message, /cannot be read/);
      assert.match(message, /CHUNK_DAMAGED/);
      assert.ok(message.includes(added[0]!), message);
      // Elsewhere all is well.
      await show(page, ids[1]!);
      await page.getByTestId("hex").waitFor();
      assert.equal(await page.getByTestId("unreadable").count(), 0);
    }),
);

testWithPeers(
  "a manifest that is damaged is named, and hides no other",
  ["chromium"],
  () =>
    withTwo(async ({ page, repository, ids }) => {
      repository.flip(repository.keys("snaps/").find((key) => key.includes(ids[0]!))!);
      await choose(page, repository.path);
      const row = page.getByTestId("snapshots").getByRole("row", { name: ids[0]! });
      assert.match(await row.innerText(), /✗.*does not have the sum|✗.*SNAPSHOT|✗[^]*snaps\//);
      assert.equal(await row.getByRole("button").count(), 0);
      const { difference } = await show(page, ids[1]!);
      assert.equal(difference!.against, undefined);
    }),
);

testWithPeers(
  "what is no repository, or one that the page cannot read, is said in a sentence",
  ["chromium"],
  () =>
    withTwo(async ({ page, repository }) => {
      const tell = async (path: string) => (await choose(page, path)).troubles[0]!;
      const newer = repository.copyTo("newer");
      newer.write(
        "repo.json",
        new TextDecoder().decode(newer.read("repo.json")).replace('"version": 1', '"version": 2'),
      );
      assert.match((await tell(newer.path)).message, /has version 2/);
      const encrypted = repository.copyTo("encrypted");
      const description = new TextDecoder().decode(encrypted.read("repo.json"))
        .replace('"sha256"', '"hmac-sha256"').replace('"none"', '"aes-256-gcm"');
      encrypted.write("repo.json", description);
      assert.match((await tell(encrypted.path)).message, /encrypted, and this page takes no passphrase/);
      const other = repository.copyTo("other");
      other.remove("repo.json");
      assert.match((await tell(other.path)).message, /repo\.json is not there/);
      assert.equal((await choose(page, repository.path)).repository?.snapshots.length, 2);
    }),
);

testWithPeers(
  "the page without zstd says which one has it",
  ["chromium"],
  () =>
    withTwo(async ({ page, repository }) => {
      const [trouble] = (await choose(page, repository.path)).troubles;
      assert.match(trouble!.message, /built without zstd/);
      assert.match(trouble!.hint!, /inspector-repository\.html/);
    }, PAGE_URL),
);

testWithPeers(
  "regrain inspect serves a repository, and opens the snapshots that are named",
  ["chromium"],
  () =>
    withTempDir(async (folder) => {
      const repository = RepositoryFolder.create(folder);
      const ids = [FIRST, SECOND, SECOND].map((chunks) => repository.backUp(chunks));
      const names = [`repo:${DISK}@latest`, `repo:${DISK}@${ids[0]}`];
      await withInspector(["--no-open", "--repo", repository.path, ...names], {}, ({ url, cookie }) =>
        withBrowser((browser) =>
          withPage(browser, { url, cookie }, async ({ page }) => {
            const isShown = ({ difference, scan }: PageState) =>
              !!difference && scan?.finished === true;
            const { opened, difference, scan } = await until(page, "opening", isShown);
            assert.deepEqual([opened!.snapshot!.id, difference!.against], [ids[2], ids[0]]);
            assert.equal(scan!.totals.dataBytes, diskOf(SECOND).length - 4 * CHUNK);
            assert.deepEqual(
              difference!.runs.map(({ kind }) =>
                kind
              ),
              ["data", "zero"],
            );
            // A folder that is dropped is looked into here, which Chromium forbids a page that is a file.
            const before = repository.copyTo("another");
            await dropPaths(page, [before.path]);
            await until(page, "dropping", ({ repository }) => repository?.label === "another");
            assert.equal((await show(page, ids[1]!)).difference!.against, ids[0]);
          })
        ));
    }),
);

for (const colorScheme of ["light", "dark"] as const) {
  testWithPeers(
    `axe-core finds nothing wrong with a repository in ${colorScheme}`,
    ["chromium"],
    () =>
      withTempDir((folder) => {
        const repository = RepositoryFolder.create(folder);
        const ids = [repository.backUp(FIRST), repository.backUp(SECOND), repository.backUp(FIRST)];
        repository.flip(repository.keys("snaps/").find((key) => key.includes(ids[2]!))!);
        repository.flip(repository.keys("chunks/")[0]!);
        const options = {
          url: REPOSITORY_PAGE_URL,
          colorScheme,
          width: 360,
          reducedMotion: "reduce",
        } as const;
        return withBrowser((browser) =>
          withPage(browser, options, async ({ page }) => {
            await page.context().addInitScript(axe.source);
            await page.reload();
            await choose(page, repository.path);
            assert.deepEqual(await violations(page), [], "list");
            await show(page, ids[1]!);
            await page.getByTestId("check-chunks").getByRole("button").click();
            await until(page, "checking", ({ checked }) => checked?.finished === true);
            for (const tab of ["map", "hex"]) {
              await page.getByTestId(`tab-${tab}`).click();
              await settle(page);
              assert.deepEqual(await violations(page), [], tab);
              const [wide, room] = await page.evaluate(() => {
                const { scrollWidth, clientWidth } = document.documentElement;
                return [scrollWidth, clientWidth];
              });
              assert.ok(wide! <= room!, `${tab}: ${wide} pixels wide, of ${room}`);
            }
          })
        );
      }),
  );
}

Deno.test("regrain inspect refuses files beside a repository, three snapshots, and an encrypted repository", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("ab");
    const names = [`repo:${DISK}`, `repo:${DISK}@latest`, `repo:${DISK}@latest`];
    for (const images of [[`${folder}/image`], [names[0]!, `${folder}/image`], names]) {
      repository.refuses({ code: "USAGE", exit: 2 }, ["inspect", "--no-open", ...images]);
    }
    regrainRefuses({ code: "REPO_MISSING", exit: 10 }, ["inspect", "--no-open", "--repo", folder]);
    const options = { env: { REGRAIN_PASSPHRASE: "secret" }, flags: ["--chunk-size", "1M", "--encrypt"] };
    const sealed = RepositoryFolder.create(folder, "sealed", options);
    const { message } = sealed.refuses({ code: "UNSUPPORTED", exit: 4 }, ["inspect", "--no-open"]);
    assert.match(message, /takes no passphrase/);
    return Promise.resolve();
  }));
