/**
 * Runs the tests: a `deno test` for each folder, several at once, each as a process of its own, so that what one does
 * to its umask, its environment or its processor time is nobody else's. What a folder said is printed when it ends.
 *
 * `deno task test [--quick] [PATH…]`: all, those without another program, or those below the paths. `REGRAIN_TEST_JOBS`
 * says how many run at once.
 *
 * Tests start the program some thousand times, so it is built once, as `deno task install` does, for all of them. A
 * single file that `deno test` runs starts the sources: for what failed here, that gives a trace with their lines.
 */
import { dirname, join } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { buildProgram, LAUNCHER } from "../cli/ship/program.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MOST_JOBS = 4;
/** What `--quick` takes: what needs neither another program nor minutes. */
const QUICK = /^(core-as|cli|inspector-web\/(page|shared)|test\/(backup|helpers)|test\/tidy_test)\b/;
const SLOW = /^(cli\/manual|test\/backup\/(interleavings|random_schedules|model))/;
/** Those that take longest begin first; the others follow by name. */
const LONGEST = ["test/inspector", "test/backup_cli", "test/interop", "test/backup_faults", "test/faults"];

/** What one folder's tests came to. */
interface Outcome {
  readonly folder: string;
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
  /** What is to be read again at the end: which tests failed and why, or how the run broke off. */
  readonly trouble: string;
}

/** One folder under way. */
class Job {
  #said = "";
  #child: Deno.ChildProcess | undefined;

  constructor(
    readonly folder: string,
    readonly files: readonly string[],
    readonly flags: readonly string[],
    readonly env: Readonly<Record<string, string>>,
  ) {}

  async run(): Promise<Outcome> {
    console.log(`${this.folder}: begun (${this.files.length} ${this.files.length === 1 ? "file" : "files"})`);
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["test", "--quiet", "--no-check", "-A", ...this.flags, ...this.files],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...this.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { stdout, stderr, status } = this.#child;
    await Promise.all([this.#listen(stdout), this.#listen(stderr)]);
    const { code } = await status;
    console.log(this.#said.trimEnd());
    return judge(this.folder, this.#said, code);
  }

  /** Ends it before its time, and prints how far it came: the test that hangs is the last one named. */
  async stop(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    console.log(`${this.#said.trimEnd()}\n${this.folder}: was ended here`);
  }

  async #listen(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#said += text;
  }
}

/** The program as it is installed, for as long as the tests run. */
class BuiltProgram implements Disposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "regrain-test-program-" });

  /** @returns what `deno run` is given. */
  async build(): Promise<string> {
    await buildProgram(this.#folder);
    return `${this.#folder}/${LAUNCHER}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** Reads the totals and the failures out of what the runner said. */
function judge(folder: string, said: string, code: number): Outcome {
  const totals = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?: \| (\d+) ignored)?/m.exec(said);
  const [passed = 0, failed = 0, ignored = 0] = totals?.slice(1).map((count) => Number(count ?? 0)) ?? [];
  if (code === 0 && totals !== null) return { folder, passed, failed, ignored, trouble: "" };
  const errors = said.indexOf("\n ERRORS \n");
  const trouble = errors < 0 ? said.slice(-4000) : said.slice(errors);
  return {
    folder,
    passed,
    failed: Math.max(failed, 1),
    ignored,
    trouble: `${folder}, exit ${code}:${trouble}`,
  };
}

/** Every file of tests, by folder. */
function testFiles(isWanted: (path: string) => boolean): Map<string, string[]> {
  const folders = new Map<string, string[]>();
  for (const path of walk("")) {
    if (!isWanted(path)) continue;
    const folder = dirname(path);
    folders.set(folder, [...folders.get(folder) ?? [], path]);
  }
  return folders;
}

function* walk(folder: string): Generator<string> {
  const entries = [...Deno.readDirSync(join(ROOT, folder))].sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory } of entries) {
    const path = join(folder, name);
    if (isDirectory && !/^(\..*|node_modules|dist|out)$/.test(name)) yield* walk(path);
    else if (/_test\.tsx?$/.test(name)) yield path;
  }
}

function byLength(a: string, b: string): number {
  const place = (folder: string) => {
    const at = LONGEST.indexOf(folder);
    return at < 0 ? LONGEST.length : at;
  };
  return place(a) - place(b) || (a < b ? -1 : 1);
}

/** How many at once: what the user says, else as many as there are processors, within bounds. */
function jobCount(): number {
  const said = Number(Deno.env.get("REGRAIN_TEST_JOBS") ?? navigator.hardwareConcurrency);
  return Number.isInteger(said) && said >= 1 ? Math.min(said, MOST_JOBS) : 1;
}

async function main(args: readonly string[]): Promise<number> {
  const isQuick = args.includes("--quick");
  const paths = args.filter((arg) => !arg.startsWith("-")).map((path) => join(path.replace(/\/$/, "")));
  const flags = args.filter((arg) => arg.startsWith("-") && arg !== "--quick");
  const isBelow = (path: string) => paths.some((above) => path === above || path.startsWith(`${above}/`));
  const folders = testFiles((path) =>
    (paths.length === 0 || isBelow(path)) && (!isQuick || QUICK.test(path) && !SLOW.test(path))
  );
  if (folders.size === 0) {
    console.error(`no tests below ${paths.join(", ") || ROOT}`);
    return 2;
  }
  const startedMs = performance.now();
  using program = new BuiltProgram();
  // Hardly any of the quick ones starts it.
  const env = isQuick ? {} : { REGRAIN_BUILT: await program.build() };
  const waiting = [...folders].sort(([a], [b]) => byLength(a, b)).map(([folder, files]) =>
    new Job(folder, files, flags, env)
  );
  const running = new Set<Job>();
  Deno.addSignalListener("SIGTERM", async () => {
    waiting.length = 0;
    for (const job of running) await job.stop();
    program[Symbol.dispose]();
    Deno.exit(143);
  });
  const outcomes: Outcome[] = [];
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      running.add(job);
      outcomes.push(await job.run());
      running.delete(job);
    }
  };
  await Promise.all(Array.from({ length: jobCount() }, work));
  return tell(outcomes, performance.now() - startedMs);
}

/** The failures once more, and the sums of all, on a line as the runner writes its own. */
function tell(outcomes: readonly Outcome[], elapsedMs: number): number {
  for (const { trouble } of outcomes) if (trouble !== "") console.log(`\n${trouble.trimEnd()}`);
  const sum = (of: (outcome: Outcome) => number) =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const failed = sum(({ failed }) => failed);
  const ignored = sum(({ ignored }) => ignored);
  const seconds = Math.round(elapsedMs / 1000);
  console.log(
    `\n${failed === 0 ? "ok" : "FAILED"} | ${sum(({ passed }) => passed)} passed | ${failed} failed` +
      `${ignored === 0 ? "" : ` | ${ignored} ignored`} (${Math.floor(seconds / 60)}m${seconds % 60}s)`,
  );
  return failed === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args));
