/**
 * A real process in the middle of writing, and signals to it.
 *
 * The process is held (SIGSTOP) as soon as the target has its first blocks, gets its signals, and is let go on: so
 * they always come while it writes, however fast the machine is.
 */
import assert from "node:assert/strict";
import { Signals } from "../../cli/session/signals.ts";
import { writeBase } from "../../fixtures/bench.ts";
import { sha256File } from "../helpers/bytes.ts";
import { regrainCommand, regrainExits } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

/** On a fast machine the whole apply takes less time than a signal that comes at a bad moment. */
const SLOWLY = ["--progress", "none", "--rate-limit", "200M"];
const DISK_BYTES = 256 * 1024 * 1024;
/** Longer than the program goes between two turns in which every signal is heard: one is due when it is let go on. */
const HELD_MS = 400;
const RESUMES =
  /\d+ of 268435456 bytes were applied; running the same command again, and --force since .* now, completes it/;

interface Ended {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stderr: string;
}

/** Starts an apply onto a new target, and calls `held` while it stands still in the middle of it. */
async function applyHeld(
  folder: string,
  held: (child: Deno.ChildProcess) => void,
  flags: readonly string[] = SLOWLY,
): Promise<Ended> {
  const target = `${folder}/target.img`;
  await Deno.remove(target).catch(ignoreMissing);
  const args = ["apply", "--create", ...flags, `${folder}/base.vmdk`, target];
  const child = regrainCommand(args, { stdout: "null", stderr: "piped" }).spawn();
  let ended = false;
  child.status.then(() => ended = true);
  while (!hasBlocks(target) || !listens(child.pid)) {
    assert.ok(!ended, "it ended before it wrote");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  child.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, HELD_MS));
  held(child);
  child.kill("SIGCONT");
  const { code, signal, stderr } = await child.output();
  return { code, signal, stderr: new TextDecoder().decode(stderr) };
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function hasBlocks(path: string): boolean {
  try {
    return (Deno.statSync(path).blocks ?? 0) > 0;
  } catch (error) {
    ignoreMissing(error);
    return false;
  }
}

/** The second lane may write before the first one listens; SIGTERM (15) is what it listens to last. */
function listens(pid: number): boolean {
  if (Deno.build.os !== "linux") return true;
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return caught === null || (BigInt(`0x${caught[1]}`) >> 14n) % 2n === 1n;
}

Deno.test({
  name: "signals in the middle of an apply",
  ignore: Deno.build.os === "windows",
  fn: async (t) => {
    await withTempDir(async (folder) => {
      const base = `${folder}/base.vmdk`;
      const target = `${folder}/target.img`;
      writeBase({ path: base, diskBytes: DISK_BYTES });
      const expected = sha256File(`${folder}/base-flat.vmdk`);

      await t.step(
        "D12: SIGINT stops it cleanly, says how far it came, and a second run as the hint says completes it",
        async () => {
          const { code, signal, stderr } = await applyHeld(folder, (child) => child.kill("SIGINT"));
          assert.equal(signal, null, stderr);
          assert.equal(code, 130, stderr);
          assert.match(stderr, /SIGINT: stopping where it is safe; a second one stops at once/);
          assert.match(stderr, /stopped by SIGINT \[INTERRUPTED\]/);
          assert.match(stderr, RESUMES);
          const appliedBytes = Number(/(\d+) of \d+ bytes were applied/.exec(stderr)![1]);
          assert.ok(appliedBytes > 0 && appliedBytes < DISK_BYTES, stderr);
          regrainExits(0, ["apply", "--force", base, target]);
          assert.equal(sha256File(target), expected);
        },
      );

      await t.step("SIGTERM does the same with its own status", async () => {
        const { code, signal, stderr } = await applyHeld(folder, (child) => child.kill("SIGTERM"));
        assert.equal(signal, null, stderr);
        assert.equal(code, 143, stderr);
        assert.match(stderr, /stopped by SIGTERM \[TERMINATED\]/);
        assert.match(stderr, RESUMES);
      });

      await t.step("two lanes stop together", async () => {
        const flags = ["--progress", "none", "--verbose"];
        const { code, stderr } = await applyHeld(folder, (child) => child.kill("SIGINT"), flags);
        assert.match(stderr, /two lanes/);
        assert.equal(code, 130, stderr);
        assert.match(stderr, RESUMES);
        regrainExits(0, ["apply", "--force", base, target]);
        assert.equal(sha256File(target), expected);
      });

      await t.step("a stop with a journal is resumed where it was", async () => {
        const flags = ["--journal", `${folder}/journal`, ...SLOWLY];
        const { code, stderr } = await applyHeld(folder, (child) => child.kill("SIGINT"), flags);
        assert.equal(code, 130, stderr);
        assert.match(
          stderr,
          /the same command with --resume, and --force since the target is there now, completes it/,
        );
        const args = [
          "apply",
          "--force",
          "--resume",
          "--journal",
          `${folder}/journal`,
          "--json",
          base,
          target,
        ];
        const { stdout } = regrainExits(0, args);
        const summary = JSON.parse(stdout.trim().split("\n").at(-1)!);
        assert.ok(summary.resumedBytes > 0 && summary.resumedBytes < DISK_BYTES, stdout);
        assert.equal(sha256File(target), expected);
      });

      await t.step("with --json the last line is the error, and nothing else is said", async () => {
        const flags = ["--json", ...SLOWLY];
        const { code, stderr } = await applyHeld(folder, (child) => child.kill("SIGINT"), flags);
        assert.equal(code, 130, stderr);
        const error = JSON.parse(stderr.trim().split("\n").at(-1)!);
        assert.equal(error.code, "INTERRUPTED");
        assert.match(error.hint, RESUMES);
        assert.doesNotMatch(stderr, /a second one/);
      });

      await t.step(
        "SIGUSR2 and SIGUSR1 print a line of progress in every mode, and the work goes on",
        async () => {
          for (const signal of ["SIGUSR2", "SIGUSR1"] as const) {
            const { code, stderr } = await applyHeld(folder, (child) => child.kill(signal));
            assert.equal(code, 0, stderr);
            assert.match(stderr, /^ *\d+ % .* of 256\.0 MiB/m);
          }
          assert.equal(sha256File(target), expected);
        },
      );
    });
  },
});

/** Listens in this process, sends it a SIGTERM, and returns when that was told. */
async function heardSigterm(): Promise<{ signals: Signals; told: string[] }> {
  const told: string[] = [];
  const signals = new Signals({
    onStop: (signal) => told.push(`stop ${signal}`),
    onMissed: (signal) => told.push(`missed ${signal}`),
    onStatus: () => {},
  });
  await signals.safePoint();
  Deno.kill(Deno.pid, "SIGTERM");
  for (let tries = 0; told.length === 0 && tries < 1000; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { signals, told };
}

Deno.test({
  name: "a stop that was told and that no safe point obeyed is told to have been missed, once",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const { signals, told } = await heardSigterm();
    signals[Symbol.dispose]();
    signals[Symbol.dispose]();
    assert.deepEqual(told, ["stop SIGTERM", "missed SIGTERM"]);
  },
});

Deno.test({
  name: "a stop that a safe point obeyed was not missed",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const { signals, told } = await heardSigterm();
    assert.equal((await signals.safePoint())?.code, "TERMINATED");
    signals[Symbol.dispose]();
    assert.deepEqual(told, ["stop SIGTERM"]);
  },
});
