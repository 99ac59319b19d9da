/** The least that Deno has to allow, by command: each call here is refused with any less. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrain, regrainExits } from "../helpers/cli.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";

const FIXTURE = caseNamed("sesparse-all-four-kinds");

interface Place {
  /** Folder of delta and base. */
  readonly disks: string;
  readonly leaf: string;
  /** A copy of the base, in another folder. */
  readonly target: string;
}

function withPlace(fn: (place: Place) => void | Promise<void>): Promise<void> {
  return withTempDir(async (folder) => {
    const disks = `${folder}/disks`;
    await writeCase(FIXTURE, disks);
    Deno.mkdirSync(`${folder}/target`);
    const target = `${folder}/target/vm.img`;
    Deno.copyFileSync(`${disks}/${FIXTURE.base!.flat}`, target);
    await fn({ disks, leaf: `${disks}/${FIXTURE.leaf}`, target });
  });
}

/** Runs with just these flags, and asserts that each of them is needed. */
function assertLeast(
  args: readonly string[],
  permissions: readonly string[],
  optional: readonly string[] = [],
): void {
  regrainExits(0, args, { permissions: [...permissions, ...optional] });
  for (const left of permissions) {
    const fewer = [...permissions, ...optional].filter((each) => each !== left);
    const { code, stderr } = regrain([...args, "--json"], { permissions: fewer });
    assert.equal(code, 6, `without ${left}: ${stderr}`);
    assert.match(stderr, /"code":"PERMISSION"/, `without ${left}`);
  }
}

for (const args of [["info"], ["map"], ["map", "--ascii", "--chain"], ["check", "--chain"]]) {
  Deno.test(`regrain ${args.join(" ")} needs to read the folder of the image, and nothing else`, () =>
    withPlace(({ disks, leaf }) => assertLeast([...args, leaf], [`--allow-read=${disks}`])));
}

Deno.test("regrain apply needs to read the deltas, to read and write the target, and FFI to be at its best", () =>
  withPlace(({ disks, leaf, target }) => {
    const permissions = [`--allow-read=${disks},${target}`, `--allow-write=${target}`];
    assertLeast(["apply", "--chain", leaf, target], permissions, ["--allow-ffi"]);
    assertFileHolds(target, FIXTURE.expected!());
  }));

for (const flags of [[], ["--io", "portable"]]) {
  Deno.test(`regrain ${["apply", ...flags].join(" ")} works without FFI, and says what is lost`, () =>
    withPlace(({ disks, leaf, target }) => {
      const permissions = [`--allow-read=${disks},${target}`, `--allow-write=${target}`];
      const { stderr } = regrainExits(0, ["apply", ...flags, leaf, target], { permissions });
      assert.match(stderr, /warning: .*without FFI/);
      assertFileHolds(target, FIXTURE.expected!());
    }));
}

Deno.test("regrain apply --create needs to write no more than the target", () =>
  withPlace(({ disks, leaf, target }) => {
    Deno.removeSync(target);
    const permissions = [`--allow-read=${disks},${target}`, `--allow-write=${target}`, "--allow-ffi"];
    regrainExits(0, ["apply", "--create", leaf, target], { permissions });
  }));

Deno.test("regrain apply onto a descriptor needs to write its folder, since the descriptor is put in place anew", () =>
  withPlace(({ disks, leaf }) => {
    const base = `${disks}/${FIXTURE.base!.descriptor}`;
    const permissions = [`--allow-read=${disks}`, `--allow-write=${disks}`];
    assert.match(regrainExits(0, ["apply", leaf, base], { permissions }).stderr, /CID is 5eed0002 now/);
    assertFileHolds(`${disks}/${FIXTURE.base!.flat}`, FIXTURE.expected!());
  }));

testWithPeers(
  "regrain apply onto a device needs no more than its path and FFI",
  ["root-loop"],
  () =>
    withPlace(({ disks, leaf, target }) =>
      withLoop(target, (device) => {
        const permissions = [`--allow-read=${disks},${device}`, `--allow-write=${device}`, "--allow-ffi"];
        assertLeast(["apply", leaf, device], permissions);
      })
    ),
);
