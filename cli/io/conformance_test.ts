/**
 * One table of behaviours, over both implementations and both media.
 *
 * A behaviour gets a medium of {@link SIZE_BYTES} bytes filled by {@link pattern}; what only one implementation or
 * medium shows is asked by their names, in the behaviour.
 */
import assert from "node:assert/strict";
import { type ErrorCode, RegrainError } from "../../core-as/host/errors.ts";
import { Batch, readBytes } from "../../core-as/host/source.ts";
import { KIB, MIB } from "../../core-as/host/units.ts";
import { run, testWithPeers, withLoop, withMount, withTempDir } from "../../test/helpers/peers.ts";
import { type Io, type LocalTarget, pickIo, sameStorage } from "./mod.ts";
import { withQemuHolding } from "../../test/helpers/qemu_holding.ts";

const SIZE_BYTES = 4 * MIB;
const UNFORCED = { force: false };

type MediumName = "file" | "loop device";

interface Medium {
  readonly io: Io;
  readonly name: MediumName;
  readonly path: string;
  /** The file behind a loop device, else the same as `path`. */
  readonly backingPath: string;
  readonly folder: string;
}

/** Bytes that differ from their neighbours, from sector to sector, and never are 0. */
function pattern(lengthBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = (i + 31 * Math.floor(i / 512) + seed) % 251 + 1;
  return bytes;
}

function transfers(list: { offsetBytes: number; lengthBytes: number; at: number }[]): Batch {
  const batch = new Batch();
  list.forEach((each) => batch.add(each));
  return batch;
}

function errorOf(act: () => unknown, code: ErrorCode): RegrainError {
  try {
    act();
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    assert.equal(error.code, code, error.message);
    return error;
  }
  throw new assert.AssertionError({ message: `expected ${code}, nothing was thrown` });
}

async function withTarget(medium: Medium, fn: (target: LocalTarget) => void | Promise<void>): Promise<void> {
  const target = medium.io.openTarget(medium.path, UNFORCED);
  try {
    await fn(target);
  } finally {
    target.close();
  }
}

function allocatedBytes(path: string): number {
  return (Deno.statSync(path).blocks ?? 0) * 512;
}

/** Reads it all through a source of its own, so that nothing but the medium can know. */
async function contentOf(medium: Medium): Promise<Uint8Array> {
  const source = medium.io.openSource(medium.path);
  try {
    return await readBytes(source, 0, SIZE_BYTES);
  } finally {
    source.close();
  }
}

function assertBytes(found: Uint8Array, expected: Uint8Array): void {
  assert.ok(
    Buffer.compare(found, expected) === 0,
    `bytes differ first at ${firstDifference(found, expected)}`,
  );
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  return a.findIndex((byte, i) => byte !== b[i]);
}

const BEHAVIOURS: Record<string, (medium: Medium) => void | Promise<void>> = {
  "a source and a target know their size, kind and path": async (medium) => {
    const source = medium.io.openSource(medium.path);
    assert.equal(source.sizeBytes, SIZE_BYTES);
    assert.equal(source.path, medium.path);
    source.close();
    await withTarget(medium, (target) => {
      assert.equal(target.sizeBytes, SIZE_BYTES);
      assert.equal(target.isDevice, medium.name !== "file");
      const { granularityBytes, holesAreFree, inFlight } = target.medium;
      assert.ok(granularityBytes >= 512 && Number.isInteger(Math.log2(granularityBytes)));
      assert.deepEqual({ holesAreFree, inFlight }, { holesAreFree: medium.name === "file", inFlight: 1 });
    });
  },

  "stat() and realPath() follow symbolic links, and say undefined for what is not there": (medium) => {
    const link = `${medium.folder}/link`;
    Deno.symlinkSync(medium.path, link);
    const kind = medium.name === "file" ? "file" : "device";
    assert.deepEqual(medium.io.stat(link), { kind, sizeBytes: SIZE_BYTES });
    assert.equal(medium.io.realPath(link), Deno.realPathSync(medium.path));
    assert.equal(medium.io.stat(medium.folder)?.kind, "directory");
    assert.equal(medium.io.stat("/dev/null")?.kind, "other");
    for (const missing of [`${medium.folder}/none`, `${medium.backingPath}/below/a/file`]) {
      assert.equal(medium.io.stat(missing), undefined);
      assert.equal(medium.io.realPath(missing), undefined);
    }
  },

  "read() fills a batch of scattered, unaligned transfers and touches nothing beside": async (medium) => {
    const source = medium.io.openSource(medium.path);
    const list = [
      { offsetBytes: SIZE_BYTES - 1, lengthBytes: 1, at: 0 },
      { offsetBytes: 511, lengthBytes: 1027, at: 10 },
      { offsetBytes: 3 * MIB + 7, lengthBytes: 200 * KIB, at: 2000 },
      { offsetBytes: 0, lengthBytes: 0, at: 5 },
      { offsetBytes: 0, lengthBytes: 512, at: 1200 },
    ];
    const buffer = new Uint8Array(2000 + 200 * KIB + 1);
    const expected = new Uint8Array(buffer.length);
    const content = pattern(SIZE_BYTES);
    for (const each of list) {
      expected.set(content.subarray(each.offsetBytes, each.offsetBytes + each.lengthBytes), each.at);
    }
    await source.read(transfers(list), buffer);
    source.close();
    assertBytes(buffer, expected);
  },

  "read() works into the middle of a WebAssembly memory": async (medium) => {
    const memory = new WebAssembly.Memory({ initial: 4 });
    const buffer = new Uint8Array(memory.buffer, 65536, 4096);
    const source = medium.io.openSource(medium.path);
    await source.read(transfers([{ offsetBytes: 1000, lengthBytes: 2000, at: 96 }]), buffer);
    source.close();
    assertBytes(new Uint8Array(memory.buffer, 65536 + 96, 2000), pattern(SIZE_BYTES).subarray(1000, 3000));
  },

  "a read past the end is READ_SHORT at the byte where the medium ends": (medium) => {
    const source = medium.io.openSource(medium.path);
    const batch = transfers([{ offsetBytes: SIZE_BYTES - 100, lengthBytes: 200, at: 0 }]);
    const error = errorOf(() => source.read(batch, new Uint8Array(200)), "READ_SHORT");
    source.close();
    assert.equal(error.offsetBytes, SIZE_BYTES);
    assert.equal(error.path, medium.path);
  },

  "a transfer that does not fit its buffer crashes before it reaches memory": (medium) =>
    withTarget(medium, (target) => {
      const batch = transfers([{ offsetBytes: 0, lengthBytes: 512, at: 1 }]);
      assert.throws(() => target.read(batch, new Uint8Array(512)), RangeError);
      assert.throws(() => target.write(batch, new Uint8Array(512)), RangeError);
    }),

  "write() puts scattered, unaligned transfers and they last": async (medium) => {
    const data = pattern(300 * KIB, 77);
    const list = [
      { offsetBytes: 1, lengthBytes: 3, at: 4 },
      { offsetBytes: 513, lengthBytes: 4096, at: 100 },
      { offsetBytes: 2 * MIB - 5, lengthBytes: 250 * KIB, at: 5000 },
      { offsetBytes: SIZE_BYTES - 512, lengthBytes: 512, at: 0 },
    ];
    const expected = pattern(SIZE_BYTES);
    for (const each of list) {
      expected.set(data.subarray(each.at, each.at + each.lengthBytes), each.offsetBytes);
    }
    await withTarget(medium, async (target) => {
      await target.write(transfers(list), data);
      await target.flush();
    });
    assertBytes(await contentOf(medium), expected);
  },

  "a write or zero past the end is NO_SPACE and changes nothing": async (medium) => {
    await withTarget(medium, (target) => {
      const batch = transfers([{ offsetBytes: SIZE_BYTES - 1, lengthBytes: 2, at: 0 }]);
      const error = errorOf(() => target.write(batch, new Uint8Array(2)), "NO_SPACE");
      assert.equal(error.offsetBytes, SIZE_BYTES - 1);
      const stretch = { offsetBytes: SIZE_BYTES - 1, lengthBytes: 2, punch: true };
      errorOf(() => target.zero(stretch), "NO_SPACE");
    });
    assertBytes(await contentOf(medium), pattern(SIZE_BYTES));
  },

  "zero() makes exactly its stretch read as zeros, punched or not, however it is aligned": async (medium) => {
    const stretches = [
      { offsetBytes: 3, lengthBytes: 5 },
      { offsetBytes: 4096, lengthBytes: 4096 },
      { offsetBytes: 16 * KIB + 1, lengthBytes: 12 * KIB },
      { offsetBytes: 64 * KIB - 512, lengthBytes: 1024 },
      { offsetBytes: 100 * KIB, lengthBytes: 700 * KIB - 3 },
      { offsetBytes: MIB, lengthBytes: 0 },
      { offsetBytes: SIZE_BYTES - 5000, lengthBytes: 5000 },
    ];
    for (const punch of [true, false]) {
      const expected = pattern(SIZE_BYTES, punch ? 5 : 6);
      await withTarget(medium, async (target) => {
        await target.write(transfers([{ offsetBytes: 0, lengthBytes: SIZE_BYTES, at: 0 }]), expected);
        for (const stretch of stretches) {
          await target.zero({ ...stretch, punch });
          expected.fill(0, stretch.offsetBytes, stretch.offsetBytes + stretch.lengthBytes);
        }
        assertBytes(await readBytes(target, 0, SIZE_BYTES), expected);
      });
      assertBytes(await contentOf(medium), expected);
    }
  },

  "zero() with punch gives space back, or says that it cannot": (medium) =>
    withTarget(medium, async (target) => {
      await target.flush();
      const before = allocatedBytes(medium.backingPath);
      await target.zero({ offsetBytes: MIB, lengthBytes: 2 * MIB, punch: true });
      await target.flush();
      const freed = before - allocatedBytes(medium.backingPath);
      if (medium.io.name === "linux") {
        assert.ok(freed >= 2 * MIB, `freed ${freed}`);
        assert.deepEqual(target.fallbacks, []);
      } else {
        assert.equal(freed, 0);
        await target.zero({ offsetBytes: 0, lengthBytes: 512, punch: true });
        assert.deepEqual(target.fallbacks, ["holes cannot be punched without FFI: zeros are written"]);
      }
    }),

  "zero() without punch keeps the space": (medium) =>
    withTarget(medium, async (target) => {
      await target.flush();
      const before = allocatedBytes(medium.backingPath);
      await target.zero({ offsetBytes: MIB, lengthBytes: 2 * MIB, punch: false });
      await target.flush();
      assert.equal(allocatedBytes(medium.backingPath), before);
      assert.deepEqual(target.fallbacks, []);
    }),

  "runs() tells the holes of a file as zero, and is absent where they cannot be known": async (medium) => {
    await withTarget(medium, async (target) => {
      if (medium.io.name === "portable" || medium.name !== "file") {
        return assert.equal(target.runs, undefined);
      }
      await target.zero({ offsetBytes: MIB, lengthBytes: MIB, punch: true });
      await target.zero({ offsetBytes: 3 * MIB, lengthBytes: MIB, punch: true });
      assert.deepEqual(await target.runs!(0, SIZE_BYTES), [
        { start: 0, length: MIB, kind: "data" },
        { start: MIB, length: MIB, kind: "zero" },
        { start: 2 * MIB, length: MIB, kind: "data" },
        { start: 3 * MIB, length: MIB, kind: "zero" },
      ]);
      assert.deepEqual(await target.runs!(MIB + 1, 2 * MIB + 5), [
        { start: MIB + 1, length: MIB - 1, kind: "zero" },
        { start: 2 * MIB, length: 5, kind: "data" },
      ]);
      assert.deepEqual(await target.runs!(3 * MIB + 1, SIZE_BYTES), [
        { start: 3 * MIB + 1, length: MIB - 1, kind: "zero" },
      ]);
      assert.deepEqual(await target.runs!(5, 5), []);
    });
  },

  "a second open for writing is TARGET_BUSY until the first is closed": (medium) => {
    const first = medium.io.openTarget(medium.path, UNFORCED);
    errorOf(() => medium.io.openTarget(medium.path, UNFORCED), "TARGET_BUSY");
    medium.io.openSource(medium.path).close();
    first.close();
    medium.io.openTarget(medium.path, UNFORCED).close();
  },

  "close() can be called twice, and what is closed does not read another file": (medium) => {
    const source = medium.io.openSource(medium.path);
    source.close();
    source.close();
    const other = medium.io.openSource(medium.path);
    const batch = transfers([{ offsetBytes: 0, lengthBytes: 1, at: 0 }]);
    assert.throws(() => source.read(batch, new Uint8Array(1)));
    other.close();
  },

  "a source and a target of the same storage are told by identity, whatever the name": async (medium) => {
    const link = `${medium.folder}/other name`;
    Deno.symlinkSync(medium.path, link);
    Deno.writeFileSync(`${medium.folder}/stranger`, new Uint8Array(512));
    const [named, backing, stranger] = [link, medium.backingPath, `${medium.folder}/stranger`].map((path) => {
      const source = medium.io.openSource(path);
      source.close();
      return source.identity;
    });
    await withTarget(medium, ({ identity }) => {
      assert.ok(sameStorage(identity, named!));
      assert.ok(sameStorage(identity, backing!) && sameStorage(backing!, identity));
      assert.ok(!sameStorage(identity, stranger!) && !sameStorage(stranger!, identity));
    });
  },

  "random writes and zeros leave what a model in memory holds": async (medium) => {
    const model = pattern(SIZE_BYTES);
    const data = pattern(64 * KIB, 99);
    const random = linearCongruential(20261121);
    await withTarget(medium, async (target) => {
      for (let i = 0; i < 300; i++) {
        const lengthBytes = random(64 * KIB);
        const offsetBytes = random(SIZE_BYTES - lengthBytes);
        const action = random(3);
        if (action === 0) {
          await target.write(transfers([{ offsetBytes, lengthBytes, at: 0 }]), data);
          model.set(data.subarray(0, lengthBytes), offsetBytes);
        } else {
          await target.zero({ offsetBytes, lengthBytes, punch: action === 1 });
          model.fill(0, offsetBytes, offsetBytes + lengthBytes);
        }
      }
      await target.flush();
      assertBytes(await readBytes(target, 0, SIZE_BYTES), model);
    });
    assertBytes(await contentOf(medium), model);
  },
};

/** Integers in `[0, below)`, the same ones every time (Numerical Recipes' constants). */
function linearCongruential(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Both implementations; on other systems the portable one alone. */
const IMPLEMENTATIONS = Deno.build.os === "linux" ? ["linux", "portable"] as const : ["portable"] as const;

async function onFile(io: Io, fn: (medium: Medium) => void | Promise<void>): Promise<void> {
  await withTempDir((folder) => {
    const path = `${folder}/disk.img`;
    Deno.writeFileSync(path, pattern(SIZE_BYTES));
    return fn({ io, name: "file", path, backingPath: path, folder });
  });
}

async function onLoop(io: Io, fn: (medium: Medium) => void | Promise<void>): Promise<void> {
  await onFile(
    io,
    ({ path: backingPath, folder }) =>
      withLoop(backingPath, (path) => fn({ io, name: "loop device", path, backingPath, folder })),
  );
}

/** Registers a test per implementation. */
function forEachIo(name: string, peers: readonly string[], fn: (io: Io) => void | Promise<void>): void {
  const [, id = "", sentence] = /^([A-Z]\d+: )?(.*)$/s.exec(name)!;
  for (const choice of IMPLEMENTATIONS) {
    testWithPeers(`${id}${choice}: ${sentence}`, peers, () => fn(pickIo(choice)));
  }
}

for (const [behaviour, check] of Object.entries(BEHAVIOURS)) {
  forEachIo(`file: ${behaviour}`, [], (io) => onFile(io, check));
  forEachIo(`loop device: ${behaviour}`, ["root-loop"], (io) => onLoop(io, check));
}

forEachIo(
  "a missing source is NOT_FOUND, a missing target TARGET_MISSING, and nothing is made",
  [],
  (io) =>
    withTempDir((folder) => {
      const path = `${folder}/none.img`;
      const error = errorOf(() => io.openSource(path), "NOT_FOUND");
      assert.equal(error.message, `${path}: opening failed: no such file or directory (ENOENT)`);
      errorOf(() => io.openTarget(path, UNFORCED), "TARGET_MISSING");
      assert.deepEqual([...Deno.readDirSync(folder)], []);
    }),
);

forEachIo(
  "a directory, a pipe or a character device is neither source nor target",
  [],
  (io) =>
    withTempDir((folder) => {
      const pipe = `${folder}/pipe`;
      run("mkfifo", [pipe]);
      for (const path of [folder, pipe, "/dev/null"]) {
        errorOf(() => io.openSource(path), "NOT_A_DISK");
        errorOf(() => io.openTarget(path, { force: true }), "TARGET_UNSUITABLE");
      }
    }),
);

forEachIo("a path with a NUL byte, or none, is refused instead of cut", [], (io) => {
  for (const path of ["", "/etc/passwd\0.img"]) {
    errorOf(() => io.openSource(path), "USAGE");
    errorOf(() => io.openTarget(path, UNFORCED), "USAGE");
    errorOf(() => io.stat(path), "USAGE");
  }
});

forEachIo(
  "openTarget() creates a sparse file of a size, locked, and leaves one that exists alone",
  [],
  (io) =>
    withTempDir(async (folder) => {
      const path = `${folder}/new.img`;
      const target = io.openTarget(path, { create: { sizeBytes: 64 * MIB }, force: false });
      assert.equal(target.sizeBytes, 64 * MIB);
      assert.equal(allocatedBytes(path), 0);
      assert.equal((await readBytes(target, 64 * MIB - 512, 512)).some((byte) => byte !== 0), false);
      errorOf(() => io.openTarget(path, UNFORCED), "TARGET_BUSY");
      target.close();
      errorOf(() => io.openTarget(path, { create: { sizeBytes: 1 }, force: true }), "TARGET_UNSUITABLE");
      assert.equal(Deno.statSync(path).size, 64 * MIB);
      assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    }),
);

forEachIo(
  "a file that becomes shorter while it is read is READ_SHORT, in runs() too",
  [],
  (io) =>
    onFile(io, ({ path }) => {
      const source = io.openSource(path);
      Deno.truncateSync(path, MIB);
      const batch = transfers([{ offsetBytes: MIB - 10, lengthBytes: 20, at: 0 }]);
      assert.equal(errorOf(() => source.read(batch, new Uint8Array(20)), "READ_SHORT").offsetBytes, MIB);
      if (source.runs) {
        assert.equal(errorOf(() => source.runs!(0, SIZE_BYTES), "READ_SHORT").offsetBytes, MIB);
      }
      source.close();
    }),
);

forEachIo(
  "two hundred sources can be open at once, and each gives its descriptor back",
  [],
  (io) =>
    onFile(io, async ({ path }) => {
      const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
      const before = Deno.build.os === "linux" ? descriptors() : 0;
      const sources = Array.from({ length: 200 }, () => io.openSource(path));
      assert.equal((await readBytes(sources[199]!, 5, 1))[0], pattern(6)[5]);
      sources.forEach((source) => source.close());
      if (Deno.build.os === "linux") assert.equal(descriptors(), before);
    }),
);

forEachIo(
  "B11: no force goes past the lock of another run, of either implementation",
  [],
  (io) =>
    onFile(io, ({ path }) => {
      const first = io.openTarget(path, { force: true });
      for (const other of [io, pickIo(), pickIo("portable")]) {
        for (const options of [UNFORCED, { force: true }]) {
          const { message, hint } = errorOf(() => other.openTarget(path, options), "TARGET_BUSY");
          assert.match(message, /another run of regrain/);
          assert.match(hint ?? "", /--force does not help/);
        }
      }
      first.close();
      io.openTarget(path, { force: true }).close();
    }),
);

forEachIo(
  "B11: a new file that another run has locked at once stays, and is that run's",
  [],
  (io) =>
    onFile(io, ({ path }) => {
      const made = `${path}.new`;
      const target = io.openTarget(made, { create: { sizeBytes: 4096 }, force: false });
      errorOf(() => io.openTarget(made, { force: true }), "TARGET_BUSY");
      errorOf(() => io.openTarget(made, { create: { sizeBytes: 512 }, force: true }), "TARGET_UNSUITABLE");
      target.close();
      assert.equal(Deno.statSync(made).size, 4096);
    }),
);

testWithPeers(
  "the locks of both implementations exclude each other",
  ["flock"],
  () =>
    onFile(pickIo("portable"), ({ io, path }) => {
      const target = io.openTarget(path, UNFORCED);
      errorOf(() => pickIo().openTarget(path, UNFORCED), "TARGET_BUSY");
      target.close();
      const other = pickIo().openTarget(path, UNFORCED);
      errorOf(() => io.openTarget(path, UNFORCED), "TARGET_BUSY");
      other.close();
    }),
);

forEachIo(
  "a full file system is NO_SPACE at the byte where it was full",
  ["root-mount"],
  (io) =>
    withTempDir((folder) =>
      withMount(folder, ["-t", "tmpfs", "-o", "size=1m", "none"], () => {
        const target = io.openTarget(`${folder}/new.img`, {
          create: { sizeBytes: SIZE_BYTES },
          force: false,
        });
        const batch = transfers([{ offsetBytes: 4096, lengthBytes: 2 * MIB, at: 0 }]);
        const error = errorOf(() => target.write(batch, pattern(2 * MIB)), "NO_SPACE");
        target.close();
        assert.match(error.message, /no space left on device \(ENOSPC\), at byte \d+$/);
        assert.equal(error.offsetBytes, MIB + 4096);
      })
    ),
);

forEachIo(
  "a file on a read-only mount is TARGET_READ_ONLY",
  ["root-mount"],
  (io) =>
    withTempDir((folder) =>
      withMount(folder, ["-t", "tmpfs", "none"], () => {
        Deno.writeFileSync(`${folder}/disk.img`, pattern(512));
        run("mount", ["-o", "remount,ro", folder]);
        errorOf(() => io.openTarget(`${folder}/disk.img`, UNFORCED), "TARGET_READ_ONLY");
        errorOf(
          () => io.openTarget(`${folder}/new.img`, { create: { sizeBytes: 1 }, force: false }),
          "TARGET_READ_ONLY",
        );
        io.openSource(`${folder}/disk.img`).close();
      })
    ),
);

forEachIo(
  "a read-only device is TARGET_READ_ONLY, and a good source",
  ["root-loop"],
  (io) =>
    onFile(io, ({ path }) =>
      withLoop(path, async (device) => {
        errorOf(() => io.openTarget(device, UNFORCED), "TARGET_READ_ONLY");
        const source = io.openSource(device);
        assertBytes(await readBytes(source, 0, 512), pattern(512));
        source.close();
      }, { readOnly: true })),
);

forEachIo(
  "a file behind a loop device is TARGET_BUSY and names it; --force goes on",
  ["root-loop"],
  (io) =>
    onLoop(io, ({ path: device, backingPath }) => {
      const error = errorOf(() => io.openTarget(backingPath, UNFORCED), "TARGET_BUSY");
      assert.ok(error.message.endsWith(`it is attached to the loop device ${device}`), error.message);
      assert.match(error.hint ?? "", /--force/);
      io.openTarget(backingPath, { force: true }).close();
    }),
);

forEachIo(
  "a mounted device is TARGET_MOUNTED and names the place; --force goes on",
  ["root-loop", "root-mount", "mkfs.ext4"],
  (io) =>
    onLoop(io, async ({ path: device, folder }) => {
      const mountPoint = `${folder}/mount \\ point`;
      Deno.mkdirSync(mountPoint);
      run("mkfs.ext4", ["-q", "-F", device]);
      await withMount(mountPoint, [device], () => {
        const error = errorOf(() => io.openTarget(device, UNFORCED), "TARGET_MOUNTED");
        assert.ok(error.message.endsWith(`is mounted at ${mountPoint}`), error.message);
        assert.match(error.hint ?? "", /--force/);
        io.openTarget(device, { force: true }).close();
      });
      io.openTarget(device, UNFORCED).close();
    }),
);

forEachIo(
  "D11: a file behind two loop devices, one of them mounted, is TARGET_MOUNTED by every name; --force goes on",
  ["root-loop", "root-mount", "mkfs.ext4"],
  (io) =>
    onLoop(io, ({ path: device, backingPath, folder }) =>
      withLoop(backingPath, async (other) => {
        const mountPoint = `${folder}/mounted`;
        Deno.mkdirSync(mountPoint);
        run("mkfs.ext4", ["-q", "-F", device]);
        await withMount(mountPoint, [device], () => {
          for (const path of [device, other, backingPath]) {
            const error = errorOf(() => io.openTarget(path, UNFORCED), "TARGET_MOUNTED");
            assert.ok(error.message.endsWith(`mounted at ${mountPoint}`), error.message);
            if (path !== device) assert.ok(error.message.includes(device), error.message);
            assert.match(error.hint ?? "", /--force/);
            io.openTarget(path, { force: true }).close();
          }
        });
        io.openTarget(other, UNFORCED).close();
      })),
);

forEachIo(
  "D11: of two loop devices over different parts of one file, one may be mounted and the other written",
  ["root-loop", "root-mount", "mkfs.ext4"],
  (io) =>
    onFile(io, ({ path, folder }) => {
      const attach = (offsetBytes: number) =>
        run("losetup", [
          ...["--find", "--show", "--offset", String(offsetBytes), "--sizelimit", String(2 * MIB)],
          path,
        ]).trim();
      const [first, second] = [attach(0), attach(2 * MIB)];
      try {
        const mountPoint = `${folder}/mounted`;
        Deno.mkdirSync(mountPoint);
        run("mkfs.ext4", ["-q", "-F", first!]);
        return withMount(mountPoint, [first!], () => io.openTarget(second!, UNFORCED).close());
      } finally {
        for (const device of [first!, second!]) run("losetup", ["--detach", device]);
      }
    }),
);

forEachIo(
  "a device with a mounted partition is TARGET_MOUNTED, its other partitions are free",
  ["root-loop", "root-mount", "mkfs.ext4", "addpart"],
  (io) =>
    onFile(io, ({ path, folder }) =>
      withLoop(path, async (device) => {
        const mountPoint = `${folder}/mounted`;
        Deno.mkdirSync(mountPoint);
        run("addpart", [device, "1", "2048", "4096"]);
        run("addpart", [device, "2", "6144", "2048"]);
        run("mkfs.ext4", ["-q", "-F", `${device}p1`]);
        await withMount(mountPoint, [`${device}p1`], () => {
          errorOf(() => io.openTarget(device, UNFORCED), "TARGET_MOUNTED");
          errorOf(() => io.openTarget(`${device}p1`, UNFORCED), "TARGET_MOUNTED");
          const free = io.openTarget(`${device}p2`, UNFORCED);
          assert.equal(free.sizeBytes, MIB);
          free.close();
        });
      }, { partitions: true })),
);

forEachIo(
  "a device that is swapped to is TARGET_BUSY, --force or not",
  ["root-loop", "mkswap", "swapon"],
  (io) =>
    onLoop(io, ({ path: device }) => {
      run("mkswap", [device]);
      run("swapon", [device]);
      try {
        const error = errorOf(() => io.openTarget(device, { force: true }), "TARGET_BUSY");
        assert.ok(error.message.includes(`swaps to ${device}`), error.message);
      } finally {
        run("swapoff", [device]);
      }
    }),
);

testWithPeers(
  "linux: where nothing can be punched, zeros are written and it is said once",
  ["root-mount"],
  () =>
    withTempDir((folder) =>
      withMount(folder, ["-t", "ramfs", "none"], async () => {
        Deno.writeFileSync(`${folder}/disk.img`, pattern(SIZE_BYTES));
        const target = pickIo("linux").openTarget(`${folder}/disk.img`, UNFORCED);
        for (const offsetBytes of [0, 2 * MIB]) {
          await target.zero({ offsetBytes, lengthBytes: MIB, punch: true });
        }
        const expected = pattern(SIZE_BYTES).fill(0, 0, MIB).fill(0, 2 * MIB, 3 * MIB);
        assertBytes(await readBytes(target, 0, SIZE_BYTES), expected);
        assert.deepEqual(target.fallbacks, [
          "the file system cannot punch holes: zeroed stretches keep their space (EOPNOTSUPP)",
          "the file system cannot zero a range by itself: zeros are written (EOPNOTSUPP)",
        ]);
        target.close();
      })
    ),
);

testWithPeers(
  "linux: an image that QEMU has open is TARGET_BUSY, and QEMU keeps off ours",
  ["qemu-io"],
  () =>
    onFile(pickIo("linux"), async ({ io, path }) => {
      await withQemuHolding(path, () => {
        const error = errorOf(() => io.openTarget(path, UNFORCED), "TARGET_BUSY");
        assert.match(error.message, /another program holds a lock on it \(a running virtual machine\?\)$/);
        assert.match(error.hint ?? "", /--force/);
        io.openTarget(path, { force: true }).close();
        io.openSource(path).close();
      });
      const target = io.openTarget(path, UNFORCED);
      assert.throws(() => run("qemu-io", ["-f", "raw", "-c", "write 0 512", path]), /lock/);
      target.close();
      run("qemu-io", ["-f", "raw", "-c", "write 0 512", path]);
    }),
);
