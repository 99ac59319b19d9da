/** Fixtures of the formats that libvmdk knows, read by it: the same bytes as ours. */
import assert from "node:assert/strict";
import { CASES, type FixtureCase, writeCase } from "../../fixtures/mod.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { peer, run, testWithPeers, withTempDir } from "../helpers/peers.ts";

/**
 * One process for all: reads a list of `[links newest first, output]` and writes each disk, and prints
 * the outputs of those that cannot be read. Every handle is kept, since a child does not keep its parent alive.
 */
const READER = `
import json, sys, pyvmdk
def convert(links, output):
    handles = []
    for path in links:
        handle = pyvmdk.handle()
        handle.open(path)
        handle.open_extent_data_files()
        handles.append(handle)
    for child, parent in zip(handles, handles[1:]):
        child.set_parent(parent)
    with open(output, "wb") as file:
        left = handles[0].get_media_size()
        while left > 0:
            piece = handles[0].read_buffer(min(left, 1 << 20))
            file.write(piece)
            left -= len(piece)
for links, output in json.load(open(sys.argv[1])):
    try:
        convert(links, output)
    except OSError as error:
        print(output)
`;

type Reading = "right" | "wrong" | "refused";

const LIST_MADE_WITH = "20200926";

/** What libvmdk reads otherwise, and why. */
const LIBVMDK_DIFFERS: Readonly<Record<string, Exclude<Reading, "right">>> = {
  // Entry 1 is read as file sector 1, whatever the flags of a hosted file say.
  "cowd-grain-128-last-grain-overhangs": "wrong",
  "cowd-zero-grains-and-a-long-parent-name": "wrong",
  "hosted-version-2-zero-grains": "wrong",
  "hosted-unflagged-entry-1": "wrong",
  "hosted-child-in-one-file": "wrong",
  // The redundant directory is not consulted.
  "hosted-directory-entry-damaged": "refused",
  "hosted-table-damaged": "refused",
  // The extent is looked for by the name in the descriptor inside.
  "hosted-monolithic-renamed": "refused",
};

const KNOWN_FORMATS = CASES.filter(({ name, expect }) =>
  expect === "ok" && (/^(cowd|hosted)-/.test(name) || name === "chain-two-cowd-links")
);

testWithPeers("libvmdk reads COWD and hosted fixtures as the catalogue says", ["pyvmdk"], async (t) => {
  await withTempDir(async (folder) => {
    const jobs: [string[], string][] = [];
    for (const fixture of KNOWN_FORMATS) {
      await writeCase(fixture, `${folder}/${fixture.name}`);
      jobs.push([linksOf(fixture, folder), `${folder}/${fixture.name}.raw`]);
    }
    Deno.writeTextFileSync(`${folder}/jobs.json`, JSON.stringify(jobs));
    Deno.writeTextFileSync(`${folder}/reader.py`, READER);
    const refused = new Set(run(peer("pyvmdk")!, [`${folder}/reader.py`, `${folder}/jobs.json`]).split("\n"));
    for (const fixture of KNOWN_FORMATS) {
      const output = `${folder}/${fixture.name}.raw`;
      await t.step(fixture.name, () => assertListed(fixture, refused.has(output) ? undefined : output));
    }
  });
});

/** @param output What libvmdk wrote; `undefined` when it refused. */
function assertListed(fixture: FixtureCase, output: string | undefined): void {
  const same = output !== undefined && sameBytes(Deno.readFileSync(output), fixture.expected!());
  const reading = output === undefined ? "refused" : same ? "right" : "wrong";
  const listed = LIBVMDK_DIFFERS[fixture.name] ?? "right";
  if (reading === listed) return;
  const message = `${fixture.name}: libvmdk's reading is ${reading}, the list says ${listed}`;
  const version = run(peer("pyvmdk")!, ["-c", "import pyvmdk; print(pyvmdk.get_version())"]).trim();
  if (version === LIST_MADE_WITH) assert.fail(message);
  console.log(`${message}; the list was made with ${LIST_MADE_WITH}, this is ${version}`);
}

/** Descriptors, newest first. */
function linksOf(fixture: FixtureCase, folder: string): string[] {
  const descriptors = [...fixture.links].reverse();
  return [...descriptors, fixture.base!.descriptor!].map((name) => `${folder}/${fixture.name}/${name}`);
}
