/**
 * Names in descriptors against a hostile second user, who has planted links, devices and hard links in the folder, or
 * swaps them while they are looked at.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { buildDescriptor } from "../../fixtures/mod.ts";
import {
  type Context,
  type Files,
  openLink,
  quotePath,
  readBytes,
  RegrainError,
} from "../../core-as/host/mod.ts";
import { createContext } from "../../cli/context.ts";
import { type Io, pickIo } from "../../cli/io/mod.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";

const SECTORS = 128;
const BYTES = SECTORS * 512;
const GOOD = 0x47;
const SECRET = 0x53;
const FLAT = "vm-flat.vmdk";
const OUTSIDE = { code: "OUTSIDE_FOLDER", exit: 4 };
const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;
const IOS = Deno.build.os === "linux" ? ["linux", "portable"] as const : ["portable"] as const;

interface Place {
  /** Where the hostile user can write. */
  readonly vm: string;
  readonly descriptor: string;
  readonly flat: string;
  /** What the hostile user may not read, in another folder. */
  readonly secret: string;
}

/** A flat disk whose extent is not there yet, and a secret elsewhere. */
async function withPlace(fn: (place: Place) => void | Promise<void>): Promise<void> {
  await withTempDir(async (given) => {
    const folder = Deno.realPathSync(given);
    const [vm, elsewhere] = [join(folder, "vm"), join(folder, "elsewhere")];
    Deno.mkdirSync(vm);
    Deno.mkdirSync(elsewhere);
    const secret = join(elsewhere, "secret.img");
    Deno.writeFileSync(secret, new Uint8Array(BYTES).fill(SECRET));
    const descriptor = join(vm, "vm.vmdk");
    const extents = [{ sectors: SECTORS, type: "VMFS" as const, file: FLAT }];
    Deno.writeFileSync(descriptor, buildDescriptor({ createType: "vmfs", cid: "1", extents }));
    await fn({ vm, descriptor, flat: join(vm, FLAT), secret });
  });
}

/** A delta that changes one sector of the disk, with the descriptor as its parent. */
function deltaIn({ vm }: Place): string {
  const path = join(vm, "vm-000001.vmdk");
  const extents = [{ sectors: SECTORS, type: "VMFS" as const, file: "vm-000001-flat.vmdk" }];
  const spec = {
    createType: "vmfs",
    cid: "2",
    parentCid: "1",
    parentFileNameHint: "vm.vmdk",
    extents,
  } as const;
  Deno.writeFileSync(path, buildDescriptor(spec));
  Deno.writeFileSync(join(vm, "vm-000001-flat.vmdk"), new Uint8Array(BYTES).fill(0x44));
  return path;
}

function good(path: string): void {
  Deno.writeFileSync(path, new Uint8Array(BYTES).fill(GOOD));
}

function isUntouched({ secret }: Place): boolean {
  return Deno.readFileSync(secret).every((byte) => byte === SECRET);
}

function runs(program: string, args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
}

for (const io of IOS) {
  Deno.test(`E6: a link out of the folder is followed for no --search but that of the folder it ends in (${io})`, () =>
    withPlace((place) => {
      const { vm, descriptor, flat, secret } = place;
      Deno.symlinkSync(secret, flat);
      const compare = ["compare", descriptor, secret, "--io", io];
      for (const search of [[], ["--search", vm], ["--search", join(vm, "..", "vm")]]) {
        const { hint } = regrainRefuses(OUTSIDE, [...compare, ...search]);
        const folder = secret.replace(/\/[^/]*$/, "");
        assert.equal(
          hint,
          `if that is right: --search ${quotePath(folder)}, or --allow-outside, ` +
            "which follows every name wherever it leads, to devices and files of others too",
        );
        for (const flags of [["--search", folder], ["--allow-outside"]]) {
          regrainExits(0, [...compare, ...flags]);
        }
      }
      const link = join(vm, "linked");
      Deno.symlinkSync(secret.replace(/\/[^/]*$/, ""), link);
      regrainExits(0, [...compare, "--search", link]);
      const delta = deltaIn(place);
      for (const flags of [[], ["--search", vm], ["--search", vm, "--force"]]) {
        regrainRefuses(OUTSIDE, ["apply", delta, descriptor, "--io", io, ...flags]);
        assert.ok(isUntouched(place));
      }
    }));

  Deno.test(`E6: a link in the searched folder that leads out of it is not followed, to read or to write (${io})`, () =>
    withPlace((place) => {
      const { vm, descriptor, secret } = place;
      const bases = join(vm, "..", "bases");
      Deno.mkdirSync(bases);
      Deno.symlinkSync(secret, join(bases, FLAT));
      const search = ["--search", bases, "--io", io];
      regrainRefuses(OUTSIDE, ["map", descriptor, ...search]);
      regrainRefuses(OUTSIDE, ["apply", deltaIn(place), descriptor, ...search]);
      assert.ok(isUntouched(place));
      Deno.removeSync(join(bases, FLAT));
      good(join(bases, FLAT));
      regrainExits(0, ["apply", deltaIn(place), descriptor, ...search]);
      assert.equal(Deno.readFileSync(join(bases, FLAT))[0], 0x44);
    }));

  Deno.test({
    name: `E6: a device node, a pipe or a character device in the folder is no extent (${io})`,
    ignore: !isRoot,
    fn: () =>
      withPlace((place) => {
        const { vm, descriptor, flat } = place;
        const parent = deltaIn(place);
        for (const node of [["b", "7", "250"], ["c", "1", "5"], ["p"]]) {
          runs("mknod", [flat, ...node]);
          const code = node[0] === "b" ? OUTSIDE : { code: "NOT_A_DISK", exit: 4 };
          for (const flags of [[], ["--search", vm]]) {
            const { message, hint } = regrainRefuses(code, ["info", descriptor, "--io", io, ...flags]);
            if (node[0] === "b") {
              assert.match(`${message} ${hint}`, /is a block device .*right: --allow-outside/);
            }
            regrainRefuses(code, ["apply", parent, descriptor, "--io", io, ...flags]);
          }
          Deno.removeSync(flat);
        }
        // As the parent of a delta too.
        Deno.removeSync(descriptor);
        runs("mknod", [descriptor, "b", "7", "250"]);
        const { message } = regrainRefuses(OUTSIDE, ["compare", parent, parent, "--io", io]);
        assert.match(message, /the parent "vm\.vmdk" is a block device/);
      }),
  });

  Deno.test({
    name: `E6: a hard link to another user's file is no extent, one to a file of one's own is (${io})`,
    ignore: !isRoot,
    fn: () =>
      withPlace((place) => {
        const { descriptor, flat, secret } = place;
        Deno.linkSync(secret, flat);
        const compare = ["compare", descriptor, secret, "--io", io];
        regrainExits(0, compare);
        Deno.chownSync(descriptor, 12345, 12345);
        const { message, hint } = regrainRefuses(OUTSIDE, compare);
        assert.match(message, /is a hard link to a file of another user \(uid 0\) and is not followed/);
        assert.match(hint!, /^if that is right: --allow-outside, which/);
        regrainRefuses(OUTSIDE, ["apply", deltaIn(place), descriptor, "--io", io]);
        assert.ok(isUntouched(place));
        regrainExits(0, [...compare, "--allow-outside"]);
      }),
  });

  Deno.test(`E6: what is swapped between the look and the opening is judged as it is opened (${io})`, () =>
    withPlace(async (place) => {
      const { descriptor, flat, secret } = place;
      good(flat);
      const swap = () => {
        Deno.removeSync(flat);
        Deno.symlinkSync(secret, flat);
      };
      const local = pickIo(io);
      const context = createContext(local, {});
      const swapping: Context = {
        ...context,
        files: before(context.files, (path) => path === flat && swap()),
      };
      await assert.rejects(() => openLink(descriptor, swapping, "image"), { code: "OUTSIDE_FOLDER" });
      Deno.removeSync(flat);
      good(flat);
      const link = await openLink(descriptor, context, "image");
      const { identity } = link.extents[0]!.extent.file as ReturnType<Io["openSource"]>;
      swap();
      const write = () => local.openTarget(flat, { force: true, judged: identity });
      assert.throws(write, { code: "OPEN_FAILED", message: /replaced while it was opened/ });
      link.close();
    }));
}

/** The same files, where something happens after each look and before each opening. */
function before(files: Files, act: (path: string) => unknown): Files {
  return {
    open(path, bounds) {
      act(path);
      return files.open(path, bounds);
    },
    exists: (path) => files.exists(path),
    realPath: (path) => files.realPath(path),
    list: (folder) => files.list(folder),
  };
}

/** Swaps the extent for a link to the secret and back, until it is told to stop. */
const SWAPPER = `
  self.onmessage = ({ data: { flat, spare, secret, stop } }) => {
    const word = new Int32Array(stop);
    let swaps = 0;
    while (Atomics.load(word, 0) === 0) {
      Deno.symlinkSync(secret, flat + ".link");
      Deno.renameSync(flat + ".link", flat);
      Deno.linkSync(spare, flat + ".good");
      Deno.renameSync(flat + ".good", flat);
      swaps++;
    }
    self.postMessage(swaps);
  };`;

Deno.test({
  name: "E6: a racing process that swaps the extent for a link gets nothing read and nothing written",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withPlace(async (place) => {
      const { vm, descriptor, flat, secret } = place;
      const spare = join(vm, "spare");
      good(spare);
      good(flat);
      const worker = new Worker(`data:text/javascript,${encodeURIComponent(SWAPPER)}`, { type: "module" });
      const stop = new SharedArrayBuffer(4);
      const stopped = new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
      worker.postMessage({ flat, spare, secret, stop });
      const io = pickIo("linux");
      const context = createContext(io, { search: [vm] });
      const counts = { read: 0, written: 0, refused: 0 };
      const endMs = performance.now() + 3000;
      while (performance.now() < endMs && counts.refused + counts.read < 20_000) {
        try {
          const link = await openLink(descriptor, context, "image");
          try {
            const file = link.extents[0]!.extent.file as ReturnType<Io["openSource"]>;
            assert.equal((await readBytes(file, 0, 512))[0], GOOD);
            counts.read++;
            const target = io.openTarget(flat, { force: true, judged: file.identity });
            assert.equal((await readBytes(target, 0, 512))[0], GOOD);
            target.close();
            counts.written++;
          } finally {
            link.close();
          }
        } catch (error) {
          if (!(error instanceof RegrainError)) throw error;
          assert.ok(["OUTSIDE_FOLDER", "OPEN_FAILED"].includes(error.code), error.message);
          counts.refused++;
        }
      }
      Atomics.store(new Int32Array(stop), 0, 1);
      await stopped;
      worker.terminate();
      assert.ok(counts.read + counts.refused > 0, JSON.stringify(counts));
      assert.ok(isUntouched(place));
    }),
});

testWithPeers(
  "E6: a link to a device is followed for --allow-outside alone",
  ["root-loop"],
  () =>
    withPlace((place) =>
      withLoop(place.secret, (device) => {
        Deno.symlinkSync(device, place.flat);
        const args = ["compare", place.descriptor, place.secret];
        const refusal = (flags: string[]) => regrainRefuses(OUTSIDE, [...args, ...flags]);
        assert.match(refusal([]).message, /is a link to another folder/);
        const { message, hint } = refusal(["--search", "/dev"]);
        assert.match(message, /is a block device/);
        assert.match(hint!, /^if that is right: --allow-outside, which/);
        regrainExits(0, [...args, "--allow-outside"]);
      })
    ),
);

testWithPeers("E6: without libc -v says how names in descriptors are judged", [], () =>
  withPlace((place) => {
    good(place.flat);
    const { stderr } = regrainExits(0, ["info", place.descriptor, "--io", "portable", "-v"]);
    assert.match(stderr, /names in descriptors: looked at before and after a file is opened/);
  }));
