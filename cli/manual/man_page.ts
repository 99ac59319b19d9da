/** The manual page, in the man(7) macros that groff and mandoc both know. */
import { ERRORS } from "../../core-as/host/errors.ts";
import { type CommandEntry, type FlagEntry, leavesOf, type ProgramEntry } from "./tree.ts";

/** What the tree does not tell. */
export interface ManualFacts {
  /** Day of this version, as `2026-11-21`. */
  readonly date: string;
  readonly exitStatus: readonly (readonly [status: number, meaning: string])[];
}

/** Renders the page: `regrain man | man -l -`. */
export function manPage(program: ProgramEntry, facts: ManualFacts): string {
  const { name, version } = program;
  const title = `.TH ${name.toUpperCase()} 1 ${facts.date} "${name} ${version}" "User Commands"`;
  const sections = [
    section("NAME", [`${name} \\- ${text(lowerFirst(program.description).replace(/\.$/, ""))}`]),
    section("SYNOPSIS", synopsis(program)),
    section("DESCRIPTION", description(name)),
    section("OPTIONS", flags(program.flags)),
    section("COMMANDS", leavesOf(program).flatMap((command) => commandLines(name, command))),
    section("EXIT STATUS", table(facts.exitStatus.map(([status, meaning]) => [String(status), meaning]))),
    section("ERRORS", errors()),
    section("SIGNALS", signals()),
    section("ENVIRONMENT", environment()),
    section("FILES", files()),
    section("EXAMPLES", examples(program)),
    section("SEE ALSO", [".BR qemu\\-img (1),", ".BR dd (1),", ".BR losetup (8)"]),
  ];
  return `${[title, ...sections].join("\n")}\n`;
}

function section(title: string, lines: readonly string[]): string {
  return [`.SH ${title}`, ...lines].join("\n");
}

function synopsis(program: ProgramEntry): string[] {
  return leavesOf(program).flatMap((command, i) => [
    ...(i === 0 ? [] : [".br"]),
    `${bold(program.name)} ${bold(command.words)} ${usage(command.usage)}`,
  ]);
}

/** `[options] <IMAGE...>`: words in brackets are placeholders. */
function usage(usageText: string): string {
  return usageText.split(" ").map((word) => {
    const [, before, name, after] = /^([<[]*)([^<>[\]]+)([>\]]*)$/.exec(word) ?? ["", "", word, ""];
    const optional = before!.includes("[");
    return `${optional ? "[" : ""}\\fI${text(name!)}\\fR${optional && after !== "" ? "]" : ""}`;
  }).join(" ");
}

function description(name: string): string[] {
  return paragraphs(
    `${name} reads every kind of VMDK, tells what is in it, and applies snapshot deltas to images in files and on ` +
      "block devices. Everything is checked before the first byte is written, and applying again is always safe.",
    "It also backs disks up: a repository, in a folder or a bucket, keeps each piece of a disk once, whatever number " +
      "of snapshots has it.",
    "Results go to the standard output, everything else to the standard error. With --json a command that reads " +
      "prints one document and a long one a line an event; an error is one line of JSON on the standard error.",
    "Sizes and offsets are bytes; 64K, 1M, 2G mean powers of 1024.",
  );
}

function commandLines(name: string, command: CommandEntry): string[] {
  const named = command.arguments.filter(({ description }) => description !== "")
    .map((argument): [string, string] => [argument.name, argument.description]);
  return [
    `.SS ${quoted(`${name} ${command.words}`)}`,
    ...paragraphs(command.description),
    ...named.flatMap(([argument, meaning]) => item(`\\fI${text(argument)}\\fR`, meaning)),
    ...flags(command.flags),
  ];
}

function flags(entries: readonly FlagEntry[]): string[] {
  return entries.flatMap((entry) => item(flagHead(entry), flagMeaning(entry)));
}

function flagHead({ short, long, value }: FlagEntry): string {
  const names = [short, long].filter((name) => name !== undefined).map(bold).join(", ");
  if (value === undefined) return names;
  const placeholder = `\\fI${text(value.name)}\\fR`;
  return `${names} ${value.optional ? `[${placeholder}]` : placeholder}`;
}

function flagMeaning({ description, value }: FlagEntry): string {
  if (value === undefined) return description;
  const choices = value.is.kind === "choices" ? `: ${value.is.choices.join(", ")}` : "";
  const fallback = value.fallback === undefined ? "" : ` (default ${value.fallback})`;
  return choices === "" && fallback === "" ? description : `${description}. One of${choices}${fallback}`;
}

function errors(): string[] {
  const rows = Object.entries(ERRORS).map(([code, { exit, text: meaning }]): [string, string] => [
    code,
    `${meaning} (exit ${exit})`,
  ]);
  return [...paragraphs("Codes are stable: they are added, never renamed."), ...table(rows)];
}

function signals(): string[] {
  return table([
    [
      "SIGINT, SIGTERM, SIGHUP",
      "stop a command that writes at the next safe point: what was written is made durable, and the message says how " +
      "far it came. Running the same command again completes it. A second signal stops it at once. Under nohup " +
      "SIGHUP does nothing, as long as /proc/self/status may be read; with permissions that forbid it, use setsid.",
    ],
    [
      "SIGUSR2",
      "prints a line of progress, whatever --progress says. SIGUSR1 does too, but run by deno it also opens the " +
      "debugger of Deno on a local port.",
    ],
  ]);
}

function environment(): string[] {
  return table([
    ["NO_COLOR", "when set and not empty: no colour, unless --color=always asks for it"],
    [
      "REGRAIN_PAGER, PAGER",
      "what shows help that is longer than the terminal; less -FRX by default, nothing does when the first that is " +
      "set is empty",
    ],
    ["REGRAIN_REPO", "the repository, where --repo does not name one"],
    ["REGRAIN_PASSPHRASE", "its passphrase, where --passphrase-file does not name a file with it"],
    [
      "XDG_STATE_HOME",
      "where regrain/repositories remembers which repository is at which address; ~/.local/state by default",
    ],
    [
      "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, ...",
      "how to reach an s3: repository, as the tools of AWS read them",
    ],
  ]);
}

function files(): string[] {
  return table([["TARGET.regrain-journal", "the journal of apply --journal, until the work is done"]]);
}

function examples(program: ProgramEntry): string[] {
  return leavesOf(program).filter((command) => command.examples.length > 0).flatMap((command, i) => [
    ...(i === 0 ? [] : [".PP"]),
    `${text(command.summary)}:`,
    ".PP",
    ".RS 4",
    ".nf",
    ...command.examples.map(text),
    ".fi",
    ".RE",
  ]);
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  return rows.flatMap(([head, meaning]) => item(bold(head), meaning));
}

function item(head: string, meaning: string): string[] {
  return [".TP", head, text(meaning)];
}

function paragraphs(...texts: string[]): string[] {
  return texts.flatMap((each, i) => i === 0 ? [text(each)] : [".PP", text(each)]);
}

function bold(plain: string): string {
  return `\\fB${text(plain)}\\fR`;
}

function quoted(plain: string): string {
  return `"${text(plain).replaceAll('"', "\\(dq")}"`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
};

/** Plain text as roff: nothing in it is a request, and what is typed on a command line can be copied out again. */
function text(plain: string): string {
  const escaped = plain.replace(/[\\\-'`^~]/g, (char) => ESCAPES[char]!)
    .replace(
      /[^\x20-\x7e]/gu,
      (char) => `\\[u${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
    );
  return escaped.startsWith(".") ? `\\&${escaped}` : escaped;
}

function lowerFirst(plain: string): string {
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}
