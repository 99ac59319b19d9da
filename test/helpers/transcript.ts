/**
 * Transcripts: what the program says and does, as data. A file holds several, each of these lines:
 *
 * ```
 * === A sentence that says the behaviour
 * fixture NAME              writes a fixture into the folder of this transcript
 * copy FROM TO              copies a file; also: move, link (a symbolic one), folder NAME, size FILE BYTES
 * text FILE words           writes a line of text
 * replace FILE |from|to|    changes the text of a file: a regular expression, and `\n` for a new line
 * env NAME=VALUE            for all that follows
 * keep FILE                 remembers what the file holds
 * $ info vm.vmdk            runs regrain; quotes keep words together
 * exit 0                    its exit status
 * out REGEXP                its stdout, as a whole, matches; `out-not` does not; `out-empty`; also err, err-not, ...
 * kept FILE                 the file holds what it held at `keep`
 * reads FILE                the file holds what the last fixture reads as
 * absent FILE               there is no such file
 * ```
 *
 * Every call must be followed by its `exit`.
 */
import assert from "node:assert/strict";
import { caseNamed, type FixtureCase, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds, sha256File } from "./bytes.ts";
import { regrain } from "./cli.ts";
import { type Ran, withTempDir } from "./peers.ts";

interface Transcript {
  readonly name: string;
  readonly lines: readonly string[];
}

/** Registers a test for each transcript of a file. */
export function testTranscripts(path: string): void {
  for (const transcript of parse(Deno.readTextFileSync(path))) {
    Deno.test(transcript.name, () => withTempDir((folder) => new Player(folder).play(transcript)));
  }
}

function parse(text: string): Transcript[] {
  const [head, ...parts] = text.split(/^=== /m);
  assert.match(head!, /^(#.*\n|\s)*$/, "before the first transcript only comments may stand");
  return parts.map((part) => {
    const [name, ...lines] = part.split("\n");
    const words = lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
    return { name: name!, lines: words };
  });
}

/** Words of a line; quotes keep blanks inside a word. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);
}

class Player {
  private readonly env: Record<string, string> = {};
  private readonly kept = new Map<string, string>();
  private fixture: FixtureCase | undefined;
  private ran: Ran | undefined;
  private exitAwaited = false;

  constructor(private readonly folder: string) {}

  async play({ lines }: Transcript): Promise<void> {
    for (const line of lines) {
      const [, verb, rest] = /^(\S+) ?(.*)$/.exec(line)!;
      if (this.exitAwaited && verb !== "exit") assert.fail(`no exit status expected before: ${line}`);
      await this.step(verb!, rest!, line);
    }
    assert.ok(this.ran && !this.exitAwaited, "the transcript ends without an exit status");
  }

  private async step(verb: string, rest: string, line: string): Promise<void> {
    if (verb === "$") return this.call(rest);
    if (verb === "exit") return this.assertExit(Number(rest));
    if (verb === "fixture") {
      this.fixture = caseNamed(rest);
      await writeCase(this.fixture, this.folder);
      return;
    }
    const stream = /^(out|err)(-not|-empty)?$/.exec(verb);
    if (stream) return this.assertStream({ stream: stream[1] as "out" | "err", how: stream[2], rest });
    if (verb === "replace") return this.replace(rest);
    if (!this.prepare(verb, wordsOf(rest)) && !this.assertFile(verb, rest)) {
      assert.fail(`not understood: ${line}`);
    }
  }

  private call(rest: string): void {
    this.ran = regrain(wordsOf(rest), { cwd: this.folder, env: this.env });
    this.exitAwaited = true;
  }

  private prepare(verb: string, words: readonly string[]): boolean {
    const path = (word: number) => `${this.folder}/${words[word]}`;
    const verbs: Record<string, () => void> = {
      copy: () => Deno.copyFileSync(path(0), path(1)),
      move: () => Deno.renameSync(path(0), path(1)),
      link: () => Deno.symlinkSync(words[0]!, path(1)),
      folder: () => Deno.mkdirSync(path(0)),
      size: () => {
        Deno.writeFileSync(path(0), new Uint8Array(), { append: true });
        Deno.truncateSync(path(0), Number(words[1]));
      },
      text: () => Deno.writeTextFileSync(path(0), `${words.slice(1).join(" ")}\n`),
      env: () => Object.assign(this.env, Object.fromEntries([words[0]!.split("=")])),
      keep: () => this.kept.set(words[0]!, sha256File(path(0))),
    };
    verbs[verb]?.();
    return verbs[verb] !== undefined;
  }

  private replace(rest: string): void {
    const [, name, from, to] = /^(\S+) \|(.*)\|(.*)\|$/.exec(rest) ?? assert.fail(`not understood: ${rest}`);
    const path = `${this.folder}/${name}`;
    const before = Deno.readTextFileSync(path);
    const after = before.replace(new RegExp(from!, "m"), to!.replaceAll("\\n", "\n"));
    assert.notEqual(after, before, `nothing to replace in ${path}`);
    Deno.writeTextFileSync(path, after);
  }

  private assertFile(verb: string, name: string): boolean {
    const path = `${this.folder}/${name}`;
    if (verb === "kept") assert.equal(sha256File(path), this.kept.get(name), `${name} was changed`);
    else if (verb === "reads") assertFileHolds(path, this.fixture!.expected!());
    else if (verb === "absent") assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
    else return false;
    return true;
  }

  private assertExit(code: number): void {
    this.exitAwaited = false;
    assert.equal(this.ran!.code, code, this.ran!.stderr + this.ran!.stdout);
  }

  private assertStream(claim: { stream: "out" | "err"; how: string | undefined; rest: string }): void {
    const text = claim.stream === "out" ? this.ran!.stdout : this.ran!.stderr;
    if (claim.how === "-empty") assert.equal(text, "");
    else if (claim.how === "-not") assert.doesNotMatch(text, new RegExp(claim.rest, "m"));
    else assert.match(text, new RegExp(claim.rest, "m"));
  }
}
