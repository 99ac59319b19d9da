import assert from "node:assert/strict";
import { RegrainError } from "../../../core-as/host/errors.ts";
import { type Snapshot, ulid } from "../../../core-as/host/repo/mod.ts";
import { filterSnapshots, parseFilter } from "./filter.ts";
import type { ListedSnapshot } from "./snapshots.ts";

const DAMAGE = new RegrainError("SNAPSHOT_DAMAGED", "is not what was written");

function listed(disk: string, time: string, more: { host?: string; tags?: string[] } = {}): ListedSnapshot {
  const { host = "alpha", tags = [] } = more;
  const id = ulid(Date.parse(time), new Uint8Array(10));
  const source = disk.replace("/", "-");
  const snapshot = {
    id,
    source: { name: disk, key: source },
    created: time,
    host,
    tags,
  } as unknown as Snapshot;
  return {
    name: { id, source, key: `snaps/${source}/${id}.json` },
    snapshot,
    damage: undefined,
    isDoubtful: false,
  };
}

function damaged(each: ListedSnapshot): ListedSnapshot {
  return { ...each, snapshot: undefined, damage: DAMAGE };
}

const LIST = [
  listed("web/disk-0", "2026-11-20T23:59:59.500Z", { tags: ["weekly"] }),
  listed("web/disk-1", "2026-11-21T00:00:00.000Z", { host: "beta" }),
  listed("web2/disk-0", "2026-11-21T12:00:00.000Z", { tags: ["release", "weekly"] }),
  listed("web", "2026-11-22T00:00:00.000Z", { host: "beta", tags: ["release"] }),
];

function found(flags: Parameters<typeof parseFilter>[0], list: readonly ListedSnapshot[] = LIST): number[] {
  return filterSnapshots(list, parseFilter(flags)).map((each) => list.indexOf(each));
}

Deno.test("B16: a list is narrowed by disk, host, tag and time, and every filter must hold", () => {
  assert.deepEqual(found({}), [0, 1, 2, 3]);
  assert.deepEqual(found({ disk: "web/disk-0" }), [0]);
  assert.deepEqual(found({ disk: "web" }), [0, 1, 3], "all disks of a VM, and none of web2");
  assert.deepEqual(found({ host: "beta" }), [1, 3]);
  assert.deepEqual(found({ tag: ["weekly"] }), [0, 2]);
  assert.deepEqual(found({ tag: ["weekly", "release"] }), [0, 2, 3]);
  assert.deepEqual(found({ from: "2026-11-21" }), [1, 2, 3]);
  assert.deepEqual(found({ until: "2026-11-21" }), [0, 1, 2], "the whole day");
  assert.deepEqual(found({ until: "2026-11-21T00:00:00.000" }), [0, 1]);
  assert.deepEqual(found({ from: "2026-11-20T23:59:59", until: "2026-11-20" }), [0]);
  assert.deepEqual(found({ disk: "web", host: "beta", tag: ["release"] }), [3]);
});

Deno.test("B16: what is unknown of a damaged manifest does not hide it", () => {
  const lost = listed("lost/disk-0", "2026-11-21T00:00:00.000Z");
  const list = [
    ...LIST.slice(0, 3),
    damaged(LIST[3]!),
    damaged(listed("web/disk-0", "2026-11-21T05:00:00.000Z")),
    damaged(lost),
  ];
  assert.deepEqual(found({ host: "gamma" }, list), [3, 4, 5]);
  assert.deepEqual(
    found({ disk: "web2" }, list),
    [2, 3, 5],
    "whose disk a sound manifest names is of that disk",
  );
  assert.deepEqual(found({ until: "2026-11-20" }, list), [0], "when it was made its id says");
});

Deno.test("B16: a time that is none, and two that nothing lies between, are refused", () => {
  for (
    const flags of [{ from: "yesterday" }, { until: "2026-13-01" }, {
      from: "2026-11-21",
      until: "2026-11-20",
    }]
  ) {
    assert.throws(
      () => parseFilter(flags),
      (error) => error instanceof RegrainError && error.code === "USAGE",
    );
  }
});
