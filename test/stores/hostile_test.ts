/** A store that means harm: what it can do is bounded, and said. */
import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/errors.ts";
import { MAX_MANIFEST_BYTES, parseSnapshot, sha256Hex } from "../../core-as/host/repo/snapshot.ts";
import { unlockRepository } from "../../cli/backup/keyring.ts";
import { readForbidden } from "../../cli/backup/signs/intents.ts";
import type { Repository } from "../../cli/backup/repository.ts";
import type { RepositoryDescription } from "../../core-as/host/repo/mod.ts";
import { readBody } from "../../cli/store/s3/body.ts";
import { IdleConnection } from "../../cli/store/s3/failure.ts";
import { FolderStore } from "../../cli/store/folder/store.ts";
import { withTempDir } from "../helpers/peers.ts";
import { HASTY, startFaultServer } from "./servers.ts";

const REPOSITORY = "01JDQ0000000000000000000AA";

async function refusal(fn: () => Promise<unknown>): Promise<RegrainError> {
  try {
    await fn();
  } catch (error) {
    if (error instanceof RegrainError) return error;
    throw error;
  }
  return assert.fail("not refused");
}

async function listOf(listing: (query: URLSearchParams) => string): Promise<RegrainError> {
  const { open, close } = startFaultServer({ listing });
  const store = await open({ prefix: "repo", retry: HASTY });
  try {
    return await refusal(async () => {
      for await (const { key } of store.list("snaps/")) assert.ok(key.startsWith("snaps/"));
    });
  } finally {
    store.close();
    await close();
  }
}

function listed(contents: string, next = "<IsTruncated>false</IsTruncated>"): string {
  return `<ListBucketResult>${next}${contents}</ListBucketResult>`;
}

function entry(size: string, modified = "2026-11-28T00:00:00.000Z"): string {
  return `<Contents><Key>repo/snaps/a</Key><Size>${size}</Size><LastModified>${modified}</LastModified></Contents>`;
}

Deno.test("E9: an answer without end is cut off at its limit, and not collected in memory", async () => {
  const { code } = await listOf(() => listed(entry("1").repeat(100_000)));
  assert.equal(code, "LIMIT_EXCEEDED");
});

Deno.test("E9: a listing that says forever that more follows ends after a thousand empty pages", async () => {
  let page = 0;
  const { code, message } = await listOf(() => {
    const next = `<IsTruncated>true</IsTruncated><NextContinuationToken>${++page}</NextContinuationToken>`;
    return listed("<Contents><Key>elsewhere</Key></Contents>", next);
  });
  assert.equal(code, "LIMIT_EXCEEDED");
  assert.match(message, /no end/);
  assert.equal(page, 1000);
});

Deno.test("E9: sizes and times that no object has are refused where a listing names them", async () => {
  for (const size of ["9007199254740992", "-1", "18446744073709551616"]) {
    assert.equal((await listOf(() => listed(entry(size)))).code, "STORE_FAILED", size);
  }
  assert.equal((await listOf(() => listed(entry("1", "9999-99-99T00:00:00Z")))).code, "STORE_FAILED");
});

Deno.test("E9: a body of one byte a second is given up when its time is over", async () => {
  let nowMs = 0;
  let sent = 0;
  async function* trickle() {
    for (;; sent++) {
      nowMs += 1000;
      yield await Promise.resolve(new Uint8Array(1));
    }
  }
  await assert.rejects(
    readBody(trickle(), {
      sizeBytes: 1_000_000,
      maxBytes: 1_000_000,
      path: "s3://bucket/a",
      progress: () => {},
      signal: new AbortController().signal,
      forMs: 60_000,
      nowMs: () => nowMs,
    }),
    IdleConnection,
  );
  assert.equal(sent, 60);
});

Deno.test("E9: a key slot that costs more than any of ours is refused before it is tried", () =>
  withTempDir(async (folder) => {
    const slot = {
      version: 1,
      label: "x",
      created: "9999-99-99",
      kdf: "scrypt",
      cipher: "aes-256-gcm",
      salt: "AAAA",
      nonce: "AAAAAAAAAAAAAAAA",
      wrapped: "AAAAAAAA",
    };
    Deno.mkdirSync(`${folder}/keys`);
    const costs = [
      { n: 2 ** 20, r: 8, p: 1 },
      { n: 2 ** 17, r: 8, p: 16 },
      { n: 2 ** 17 + 1, r: 8, p: 1 },
      { n: 2, r: 2 ** 30, p: 1 },
      { n: 2 ** 52, r: 2 ** 52, p: 1 },
    ];
    for (const cost of costs) {
      Deno.writeTextFileSync(`${folder}/keys/a.json`, JSON.stringify({ ...slot, ...cost }));
      const { code, hint } = await refusal(() =>
        unlockRepository(new FolderStore(folder), { id: REPOSITORY } as RepositoryDescription, "x")
      );
      assert.ok(code === "LIMIT_EXCEEDED" ? hint !== undefined : code === "REPO_UNSUPPORTED", code);
    }
  }));

Deno.test("E9: a manifest has room for the largest disk of VMware in the smallest chunks, not much more", () => {
  const pages = 62 * 1024;
  const page = { id: "0".repeat(64), generation: 255, content: "0".repeat(64) };
  const bytes = pages * (JSON.stringify(page).length + 1);
  assert.ok(MAX_MANIFEST_BYTES > bytes && MAX_MANIFEST_BYTES < 4 * bytes);
});

Deno.test("E9: a manifest of a disk of 2^53 bytes, or of 9999-99-99, is damaged", async () => {
  const snapshot = {
    format: "regrain-snapshot",
    version: 1,
    features: [],
    repository: REPOSITORY,
    id: "01JDQ0000000000000000000AB",
    source: { name: "vm/disk", key: "vm-disk-00000000" },
    created: "2026-11-28T00:00:00.000Z",
    tool: "regrain",
    host: "host",
    sizeBytes: 0,
    chunkBytes: 4 * 1024 * 1024,
    pages: [],
    root: await sha256Hex(new TextEncoder().encode("")),
    change: { method: "full" },
    tags: [],
    stats: { chunks: 0, newChunks: 0, readBytes: 0, storedBytes: 0, elapsedMs: 0 },
  };
  const parse = async (changes: Record<string, unknown>) => {
    const body = JSON.stringify({ ...snapshot, ...changes });
    const sum = await sha256Hex(new TextEncoder().encode(body));
    return await parseSnapshot(new TextEncoder().encode(`{"snapshot":${body},"sha256":"${sum}"}\n`), "m");
  };
  assert.equal((await parse({})).sizeBytes, 0);
  for (
    const changes of [{ sizeBytes: 2 ** 53 - 1 }, { sizeBytes: 2 ** 53 }, { created: "9999-99-99T00:00:00Z" }]
  ) {
    assert.equal((await refusal(() => parse(changes))).code, "SNAPSHOT_DAMAGED", JSON.stringify(changes));
  }
});

Deno.test("E9: junk in gc/ under a name of no collection stops no backup; under one, the hint lets it go on", () =>
  withTempDir(async (folder) => {
    const store = new FolderStore(folder);
    const repository = { store, pathOf: (key: string) => `${folder}/${key}` } as unknown as Repository;
    Deno.mkdirSync(`${folder}/gc`);
    for (const name of ["x.json", "junk.json", `${REPOSITORY}x.json`]) {
      Deno.writeTextFileSync(`${folder}/gc/${name}`, "junk");
    }
    assert.equal((await readForbidden(repository)).chunks.size, 0);
    Deno.writeTextFileSync(`${folder}/gc/${REPOSITORY}.json`, "junk");
    const { code, hint = "" } = await refusal(() => readForbidden(repository));
    assert.equal(code, "SNAPSHOT_DAMAGED");
    const [, path] = /remove (\S+);/.exec(hint)!;
    Deno.removeSync(path!);
    assert.equal((await readForbidden(repository)).chunks.size, 0);
  }));
