import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/mod.ts";
import { withTempDir } from "../../test/helpers/peers.ts";
import { type Io, pickIo } from "../io/mod.ts";
import { findPart, makePart, partOf } from "./part.ts";

const SIZE_BYTES = 8192;
const kinds = ["linux", "portable"] as const;

function forEachIo(name: string, fn: (io: Io, out: string) => void): void {
  for (const kind of kinds) {
    Deno.test(
      `${name} (${kind})`,
      () => withTempDir((folder) => fn(pickIo(kind), `${folder}/out.img`)),
    );
  }
}

function codeOf(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof RegrainError) return error.code;
    throw error;
  }
  return "none";
}

const modeOf = (path: string) => Deno.lstatSync(path).mode! & 0o7777;

forEachIo(
  "B11: a part is locked until it has its last name, and then it is the next run's turn",
  (io, out) => {
    const path = partOf(out);
    const file = { io, sizeBytes: SIZE_BYTES };
    const first = makePart(path, file);
    assert.equal(codeOf(() => findPart(path, file)), "TARGET_BUSY");
    assert.equal(codeOf(() => makePart(path, file)), "TARGET_BUSY");
    // Another size is no reason to remove what another run writes.
    assert.equal(codeOf(() => findPart(path, { io, sizeBytes: 512 })), "TARGET_BUSY");
    first.moveTo(out, { replace: false });
    assert.equal(findPart(path, file), undefined);
    const second = makePart(path, file);
    assert.equal(Deno.statSync(out).size, SIZE_BYTES);
    assert.equal(codeOf(() => second.moveTo(out, { replace: false })), "TARGET_UNSUITABLE");
    second.moveTo(out, { replace: true });
    first.close();
    second.close();
  },
);

forEachIo("B11: a part that got its last name while it was opened is not written to", (io, out) => {
  const path = partOf(out);
  makePart(path, { io, sizeBytes: SIZE_BYTES }).close();
  const late: Pick<Io, "openTarget"> = {
    // The name was looked at, and before the lock is taken the other run ends.
    openTarget(name, options) {
      Deno.renameSync(path, out);
      return io.openTarget(name === path ? out : name, options);
    },
  };
  assert.equal(findPart(path, { io: late, sizeBytes: SIZE_BYTES }), undefined);
  assert.equal(Deno.statSync(out).size, SIZE_BYTES);
});

forEachIo(
  "E2: a part that is a link, or has another name, is not carried on with, and its file stays",
  (io, out) => {
    const path = partOf(out);
    const victim = `${out}.victim`;
    const secret = new Uint8Array(SIZE_BYTES).fill(7);
    Deno.writeFileSync(victim, secret, { mode: 0o600 });
    for (
      const plant of [
        () => Deno.symlinkSync(victim, path),
        () => Deno.linkSync(victim, path),
        () => Deno.mkdirSync(path),
        () => new Deno.Command("mkfifo", { args: [path] }).outputSync(),
      ]
    ) {
      plant();
      for (const sizeBytes of [SIZE_BYTES, 512]) {
        assert.equal(codeOf(() => findPart(path, { io, sizeBytes })), "TARGET_UNSUITABLE");
      }
      assert.deepEqual(Deno.readFileSync(victim), secret);
      Deno.lstatSync(path);
      Deno.removeSync(path);
    }
  },
);

forEachIo("E2: a link that is planted between look and open is seen on the open file", (io, out) => {
  const path = partOf(out);
  const victim = `${out}.victim`;
  const secret = new Uint8Array(SIZE_BYTES).fill(7);
  Deno.writeFileSync(victim, secret);
  makePart(path, { io, sizeBytes: SIZE_BYTES }).close();
  const raced: Pick<Io, "openTarget"> = {
    openTarget(name, options) {
      Deno.removeSync(path);
      Deno.symlinkSync(victim, path);
      return io.openTarget(name, options);
    },
  };
  assert.equal(codeOf(() => findPart(path, { io: raced, sizeBytes: SIZE_BYTES })), "TARGET_UNSUITABLE");
  assert.deepEqual(Deno.readFileSync(victim), secret);
});

forEachIo("E2: a part of another user is not carried on with", (io, out) => {
  // Only root can make one.
  if (Deno.uid() !== 0) return;
  const path = partOf(out);
  Deno.writeFileSync(path, new Uint8Array(SIZE_BYTES), { mode: 0o666 });
  Deno.chownSync(path, 65534, 65534);
  assert.equal(codeOf(() => findPart(path, { io, sizeBytes: SIZE_BYTES })), "TARGET_UNSUITABLE");
});

forEachIo(
  "E5: a part is its owner's alone, also one that was not, until it gets the rights asked for",
  (io, out) => {
    const path = partOf(out);
    const file = { io, sizeBytes: SIZE_BYTES };
    const umask = Deno.umask(0);
    try {
      makePart(path, file).close();
      assert.equal(modeOf(path), 0o600);
      Deno.chmodSync(path, 0o644);
      const found = findPart(path, file)!;
      assert.ok(found.isBegun);
      assert.equal(modeOf(path), 0o600);
      Deno.umask(0o077);
      found.moveTo(out, { mode: 0o640, replace: false });
      found.close();
      assert.equal(modeOf(out), 0o640);
    } finally {
      Deno.umask(umask);
    }
  },
);
