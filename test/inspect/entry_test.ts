/** Who `regrain inspect` lets in: a second user of the machine, a second use of an address, a real browser. */
import assert from "node:assert/strict";
import { fetchLetIn, type Inspector, letIn, withInspector } from "../helpers/inspector.ts";
import { asSecondUser, testWithPeers, withTempDir } from "../helpers/peers.ts";
import { withBrowser } from "../inspector/browser.ts";

const SECRET = "what is in the image";

interface Place extends Inspector {
  readonly folder: string;
  /** The page that the browser is opened with. */
  readonly page: string;
  /** The one-time address in it. */
  readonly once: string;
}

/** Serves an image to a "browser" that stays, and does nothing. */
function withOpener(fn: (place: Place) => Promise<void>): Promise<void> {
  return withTempDir(async (folder) => {
    Deno.writeTextFileSync(`${folder}/vm.img`, SECRET.padEnd(512, "."));
    Deno.chmodSync(`${folder}/vm.img`, 0o600);
    const script = `echo "$1" > '${folder}/part'
mv '${folder}/part' '${folder}/said'
while [ ! -e '${folder}/done' ] && [ -d '${folder}' ]; do sleep 0.1; done`;
    Deno.writeTextFileSync(`${folder}/xdg-open`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
    await withInspector([`${folder}/vm.img`], { env }, async (inspector) => {
      try {
        await until("the browser is not opened", () => readIfThere(`${folder}/said`) !== undefined);
        const page = new URL(Deno.readTextFileSync(`${folder}/said`).trim()).pathname;
        const [, once] = /content="0; url=([^"]*)"/.exec(Deno.readTextFileSync(page))!;
        await fn({ ...inspector, folder, page, once: once! });
      } finally {
        Deno.writeTextFileSync(`${folder}/done`, "");
      }
    });
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    assert.ok(i < 400, what);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function statusOf(answer: Promise<Response>): Promise<number> {
  const { status, body } = await answer;
  await body?.cancel();
  return status;
}

testWithPeers("E3: a second user finds no way in by /proc, by the redirect page, or by asking", [
  "second-user",
], () =>
  withOpener(async ({ url, page, once, pid, line }) => {
    const token = once.slice(url.length);
    assert.match(token, /^[\w-]{43}$/);
    const seen = asSecondUser("for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done 2>/dev/null");
    assert.ok(seen.stdout.includes(page), "the second user sees what the browser is started with");
    assert.ok(
      !seen.stdout.includes(token) && !seen.stdout.includes("127.0.0.1"),
      "and finds no address there",
    );
    for (const path of [page, page.replace(/[^/]*$/, ""), `/proc/${pid}/environ`, `/proc/${pid}/mem`]) {
      const { code, stdout } = asSecondUser(path.endsWith("/") ? `ls '${path}'` : `cat '${path}'`);
      assert.deepEqual([code === 0, stdout], [false, ""], path);
    }
    const moved = asSecondUser(`mv '${page}' /tmp/x || rm -f '${page}' || echo x > '${page}'`);
    assert.notEqual(moved.code, 0);
    // The id is in logs and on the screen; it lets nobody in.
    assert.ok(line.includes(url) && !line.includes(token));
    for (const path of ["", "files/0/vm.img", "repository/repo.json", "A".repeat(43)]) {
      assert.equal(await statusOf(fetch(url + path)), 403, path);
    }
    await letIn(once);
    assert.match(await (await fetchLetIn(`${url}files/0/vm.img`)).text(), new RegExp(`^${SECRET}`));
    assert.ok(readIfThere(page) === undefined, "nothing is left of it");
  }));

Deno.test({
  name: "E3: a second use of the one-time address ends the server, and it says so",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withTempDir(async (folder) => {
      Deno.writeTextFileSync(`${folder}/vm.img`, SECRET.padEnd(512, "."));
      await withInspector(["--no-open", `${folder}/vm.img`], {}, async ({ url, address, ended, stderr }) => {
        assert.equal(await statusOf(fetchLetIn(`${url}files/0/vm.img`)), 200);
        assert.equal(
          await statusOf(fetchLetIn(address!, { redirect: "manual" })),
          303,
          "a browser that is in",
        );
        assert.equal(await statusOf(fetchLetIn(url)), 200);
        const second = await fetch(address!);
        assert.deepEqual([second.status, /used before/.test(await second.text())], [410, true]);
        assert.equal(await ended(), 6);
        await until("nothing is said", () => /one-time address was used a second time/.test(stderr()));
        assert.match(stderr(), /hint: start it again/);
        await assert.rejects(fetch(url), TypeError);
      });
    }),
});

testWithPeers(
  "E3: a browser keeps no secret in its address bar, its history or its scripts",
  ["chromium"],
  () =>
    withOpener(({ url, page, once, stop, stderr }) =>
      withBrowser(async (browser) => {
        const context = await browser.newContext();
        const tab = await context.newPage();
        await tab.goto(`file://${page}`);
        await tab.locator("input[type=file]").first().waitFor({ state: "attached" });
        assert.equal(tab.url().split("#")[0], url);
        assert.equal(readIfThere(page), undefined);
        assert.equal(await tab.evaluate("document.cookie"), "");
        assert.equal(await tab.evaluate("fetch('files/0/vm.img').then((answer) => answer.status)"), 200);
        const session = await context.newCDPSession(tab);
        const { entries } = await session.send("Page.getNavigationHistory");
        assert.deepEqual(entries.filter((entry) => entry.url.includes(once.slice(url.length))), []);
        await tab.reload();
        await tab.locator("input[type=file]").first().waitFor({ state: "attached" });
        // A page of another site cannot make the browser send the cookie, though the browser has it.
        const other = await context.newPage();
        await other.goto(`data:text/html,<a href="${url}">there</a>`);
        const [answer] = await Promise.all([other.waitForResponse(url), other.getByRole("link").click()]);
        assert.equal(answer.status(), 403);
        const stranger = await browser.newContext();
        assert.equal((await (await stranger.newPage()).goto(url))?.status(), 403);
        assert.equal(await stop(), 0);
        assert.doesNotMatch(stderr(), /one-time|bug/);
      })
    ),
);
