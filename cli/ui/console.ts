/**
 * Where words go: results to stdout, everything else to stderr.
 *
 * `--quiet` leaves errors alone there. With `--json` stderr has lines of JSON and nothing else: warnings, the error,
 * and progress where it is asked for.
 *
 * Messages start in lower case and end without a full stop; a hint stands on a line of its own. Colour only where a
 * person looks: on a terminal, unless `NO_COLOR` or `--color` says otherwise.
 *
 * Whatever is written passes here, and here alone what a terminal would act upon is made harmless, and what is too long
 * is cut: names in images, tags and hosts of a repository, words of a server, and what a program that was started
 * writes may hold anything.
 */
import {
  cutText,
  escapeOutput,
  escapeToLine,
  escapeUnprintable,
  RegrainError,
} from "../../core-as/host/mod.ts";
import { hasErrno, isFull } from "../deno_errors.ts";

export type ColorMode = "auto" | "always" | "never";

/** Flags that every command has. */
export interface CommonFlags {
  readonly quiet?: boolean | undefined;
  readonly verbose?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly color?: ColorMode | undefined;
}

const STYLES = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", blue: "34", cyan: "36" } as const;
export type Style = keyof typeof STYLES;

/** Stands for the escape character in colours of ours. Nobody else can know it, so nobody else's text gets coloured. */
const OWN_ESCAPE = `\ue000${crypto.randomUUID()}`;

/** A sentence of a megabyte tells nobody more than its beginning. A hint, or a line of a result, may be a command. */
const MOST_OF_MESSAGE = 4 * 1024;
const MOST_OF_LINE = 32 * 1024;

/** One line of a message. */
function message(text: string): string {
  return escapeToLine(cutText(text, MOST_OF_MESSAGE));
}

export class Console {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  private readonly encoder = new TextEncoder();
  private readonly colorMode: ColorMode;
  private pending = "";
  /** Nobody reads the result any more. */
  private readerLeft = false;

  constructor(flags: CommonFlags) {
    this.json = flags.json ?? false;
    this.quiet = flags.quiet ?? false;
    this.verbose = flags.verbose ?? false;
    this.colorMode = flags.color ?? "auto";
  }

  /**
   * A line of the result: a line feed in it is a name's, and is escaped too. Lines are gathered; `flush` and the end of
   * the command write them.
   */
  out(line = ""): void {
    // JSON has no line feeds but its own, and a document may have lines.
    this.gather(this.json ? shown(line) : coloured(escapeToLine(cutText(line, MOST_OF_LINE))));
  }

  /** Text of ours in several lines. */
  outText(text: string): void {
    this.gather(shown(text));
  }

  /** A result that is one document for programs, and a line or more for people. */
  result(document: unknown, ...lines: readonly string[]): void {
    if (this.json) this.outJson(document);
    else for (const line of lines) this.out(line);
  }

  /** A JSON document, or a line of NDJSON. */
  outJson(value: unknown): void {
    this.out(JSON.stringify(value));
  }

  flush(): void {
    if (this.pending === "") return;
    const text = this.pending;
    this.pending = "";
    try {
      writeAll(Deno.stdout, this.encoder.encode(text));
    } catch (error) {
      // A reader that left (`regrain check | head`) is no error of ours. The work goes on: its status is a result too.
      if (!hasErrno(error, "EPIPE")) throw noSpaceOnStdout(error) ?? error;
      this.readerLeft = true;
    }
  }

  /** Something a person may want to know. */
  tell(line: string): void {
    if (!this.quiet && !this.json) this.err(message(line));
  }

  /** Something that only `-v` shows. */
  detail(line: string): void {
    if (this.verbose && !this.json) this.err(this.paint("dim", message(line)));
  }

  /** Something that may be wrong; the work goes on. */
  warn(line: string): void {
    if (this.quiet) return;
    if (this.json) {
      return this.err(JSON.stringify({ type: "warning", message: cutText(line, MOST_OF_MESSAGE) }));
    }
    this.err(`${this.paint("yellow", "warning:")} ${message(line)}`);
  }

  /** An error with its hint: text for a person, one JSON line for a script. */
  error(error: RegrainError): void {
    this.flush();
    const { code, path, offsetBytes, exit } = error;
    const hint = error.hint === undefined ? undefined : cutText(error.hint, MOST_OF_LINE);
    if (this.json) {
      const cut = {
        message: cutText(error.message, MOST_OF_MESSAGE),
        path: path === undefined ? undefined : cutText(path, MOST_OF_MESSAGE),
      };
      this.err(JSON.stringify({ type: "error", code, exit, ...cut, offsetBytes, hint }));
      return;
    }
    this.err(`${this.paint("red", "error:")} ${message(error.message)} ${this.paint("dim", `[${code}]`)}`);
    if (hint !== undefined) this.err(`${this.paint("cyan", "hint:")} ${escapeToLine(hint)}`);
  }

  /** Writes to stderr, whatever the flags say. */
  err(line: string): void {
    this.writeErr(shown(`${line}\n`));
  }

  private gather(line: string): void {
    if (this.readerLeft) return;
    this.pending += `${line}\n`;
    if (this.pending.length > 64 * 1024) this.flush();
  }

  private writeErr(text: string): void {
    this.flush();
    writeToStderr(this.encoder.encode(text));
  }

  /**
   * Passes on what a program that was started writes to its stderr. Lines, tabs and the carriage returns of progress
   * bars stay. With `--json` each line of it is an object.
   *
   * @param ended Settles when the program has ended. What it leaves running in the background (an ssh master, say) may
   *   keep the stream open for hours, and is not waited for.
   */
  async relay(from: ReadableStream<Uint8Array>, ended: Promise<unknown>): Promise<void> {
    let line = "";
    const end = () => {
      if (line !== "") this.err(JSON.stringify({ type: "output", message: cutText(line, MOST_OF_MESSAGE) }));
      line = "";
    };
    for await (const text of textUntil(from, ended)) {
      if (!this.json) {
        this.writeErr(escapeOutput(text));
        continue;
      }
      const [first, ...others] = text.split(/[\r\n]+/);
      line += first;
      for (const other of others) {
        end();
        line = other;
      }
      if (line.length > MOST_OF_LINE) end();
    }
    end();
  }

  paint(style: Style, text: string, stream: "out" | "err" = "err"): string {
    return this.colors(stream) ? `${OWN_ESCAPE}[${STYLES[style]}m${text}${OWN_ESCAPE}[0m` : text;
  }

  colors(stream: "out" | "err"): boolean {
    if (this.colorMode !== "auto") return this.colorMode === "always";
    if (Deno.noColor) return false;
    return stream === "out" ? Deno.stdout.isTerminal() : Deno.stderr.isTerminal();
  }
}

/** What is written for a text. */
function shown(text: string): string {
  return coloured(escapeUnprintable(text));
}

/** With colours of ours in what is escaped. */
function coloured(escaped: string): string {
  return escaped.replaceAll(OWN_ESCAPE, "\x1b");
}

/** What a program wrote before it ended arrives well within this. */
const LAST_WORDS_MS = 250;

/** The text of a stream, up to its end or shortly after `ended`. */
async function* textUntil(from: ReadableStream<Uint8Array>, ended: Promise<unknown>): AsyncGenerator<string> {
  const reader = from.getReader();
  const decoder = new TextDecoder();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => timer = setTimeout(() => void reader.cancel(), LAST_WORDS_MS);
  void ended.then(stop, stop);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const text = decoder.decode(value, { stream: !done });
      if (text !== "") yield text;
      if (done) return;
    }
  } finally {
    clearTimeout(timer);
  }
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
}

/** Writes text to standard output at once, and fails where nobody reads it: for what must not be lost. */
export function writeToStdout(text: string): void {
  try {
    writeAll(Deno.stdout, new TextEncoder().encode(escapeUnprintable(text)));
  } catch (error) {
    throw noSpaceOnStdout(error) ?? error;
  }
}

/** Where nobody can be told, the exit status still tells. */
export function writeToStderr(bytes: Uint8Array): void {
  try {
    writeAll(Deno.stderr, bytes);
  } catch (error) {
    if (noSpaceOnStdout(error) === undefined && !isNobodyThere(error)) throw error;
  }
}

/** True where the reader of a pipe is gone, or the terminal: after a hangup writing to it fails with EIO. */
function isNobodyThere(error: unknown): boolean {
  return hasErrno(error, "EPIPE", "EIO");
}

/** What the system says of a file behind standard output that is full, or of `/dev/full`; `undefined` of all else. */
export function noSpaceOnStdout(error: unknown): RegrainError | undefined {
  if (!isFull(error)) return undefined;
  return new RegrainError("NO_SPACE", "there is no space left behind standard output", { cause: error });
}
