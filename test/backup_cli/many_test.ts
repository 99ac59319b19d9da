/** A repository of very many snapshots: manifests alone, as a list reads nothing else. */
import assert from "node:assert/strict";
import { serializeSnapshot, snapshotKey, ulid } from "../../core-as/host/repo/mod.ts";
import { DEEP } from "../helpers/tiers.ts";
import { regrainExits } from "../helpers/cli.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { DISK, RepositoryFolder } from "./repository_folder.ts";
import { PROGRAM } from "../helpers/program.ts";

/** The number of the report; fewer show the same way through the program. */
const SNAPSHOTS = DEEP ? 20_183 : 600;
const MOST_SECONDS = 5;

/** Writes copies of a manifest, an hour apart. */
async function multiply(repository: RepositoryFolder): Promise<void> {
  const [key] = repository.keys("snaps/");
  const { snapshot } = JSON.parse(new TextDecoder().decode(repository.read(key!)));
  const newestMs = Date.parse(snapshot.created);
  for (let i = 1; i < SNAPSHOTS; i++) {
    const timeMs = newestMs - i * 3600_000;
    const id = ulid(timeMs, new Uint8Array(10));
    const copy = { ...snapshot, id, created: new Date(timeMs).toISOString() };
    repository.write(snapshotKey(snapshot.source.key, id, "zst"), await serializeSnapshot(copy));
  }
}

function denoDir(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

/** Seconds of the processor that a command takes, as the shell counts them. */
function secondsOf(args: readonly string[], env: Record<string, string>): number {
  const line = `TIMEFORMAT='%U %S'; time '${Deno.execPath()}' run --quiet -A '${PROGRAM}' "$@" > /dev/null`;
  const { code, stderr } = new Deno.Command("bash", { args: ["-c", line, "bash", ...args], env })
    .outputSync();
  const text = new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  const [user, system] = text.trim().split("\n").at(-1)!.split(" ").map(Number);
  return user! + system!;
}

testWithPeers(
  "B18: very many snapshots are listed and judged by an index in the cache folder, private to the user",
  [
    "bash",
  ],
  () =>
    withTempDir(async (folder) => {
      // Deno keeps its packages in the cache folder too, unless it is told where they are.
      const env = { XDG_CACHE_HOME: `${folder}/cache`, DENO_DIR: denoDir() };
      const repository = RepositoryFolder.create(folder, "repo", { env });
      repository.backUp("a");
      await multiply(repository);
      const first = repository.run(["snapshots"]);
      assert.match(
        first.stdout,
        new RegExp(`^${DISK} {2}.*, ${SNAPSHOTS.toLocaleString("en")} snapshots$`, "m"),
      );
      const [{ name }, ...more] = [...Deno.readDirSync(`${folder}/cache/regrain`)] as [Deno.DirEntry];
      assert.deepEqual(more, []);
      assert.equal(Deno.statSync(`${folder}/cache/regrain`).mode! & 0o777, 0o700);
      assert.equal(Deno.statSync(`${folder}/cache/regrain/${name}`).mode! & 0o777, 0o600);
      assert.equal(repository.run(["snapshots"]).stdout, first.stdout);
      const rule = ["prune", "-n", "--keep-daily", "7"];
      const shown = repository.run(rule).stdout;
      assert.equal(repository.run([...rule, "--no-cache"]).stdout, shown);
      if (DEEP) {
        for (const args of [["snapshots"], rule]) {
          const seconds = secondsOf([...args, "--repo", repository.path], env);
          assert.ok(seconds < MOST_SECONDS, `${args[0]}: ${seconds} s of the processor`);
        }
      }
      // One that others may write to is not believed; where nothing may be written, all goes on without it.
      Deno.chmodSync(`${folder}/cache/regrain`, 0o777);
      const open = repository.run(["snapshots"]);
      assert.equal(open.stdout, first.stdout);
      assert.match(open.stderr, /cannot be kept: .*others may write/);
      const bare = regrainExits(0, ["snapshots", "--repo", repository.path], {
        env,
        permissions: [`--allow-read=${repository.path}`],
      });
      assert.equal(bare.stdout, first.stdout);
    }),
);
