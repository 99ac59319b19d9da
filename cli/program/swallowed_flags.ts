/** Flags that would be the value of the flag before them: `--undo --verify` makes no undo file of that name. */
import { type CommandUnknownOpts, InvalidArgumentError, type Option } from "@commander-js/extra-typings";

/** Names of values that are files or folders, which can be named otherwise. */
const PATHS = /<(FILE|DIR|WHERE|PEM|DELTA)>/;

/** Makes a command refuse one of its own flags as the value of another. */
export function refuseSwallowedFlags(command: CommandUnknownOpts): void {
  const names = new Set(command.options.flatMap(({ short, long }) => [short, long]));
  for (const option of command.options) if (option.required) guard(option, names);
}

function guard(option: Option, names: ReadonlySet<string | undefined>): void {
  const parse = option.parseArg;
  option.argParser((value: string, before: unknown) => {
    const [flag] = value.split("=");
    if (names.has(flag)) throw new InvalidArgumentError(swallowed(option, value));
    if (parse !== undefined) return parse(value, before as undefined);
    // As commander has it where a flag has no parser of its own.
    return option.variadic ? [...Array.isArray(before) ? before as unknown[] : [], value] : value;
  });
}

function swallowed({ flags }: Option, value: string): string {
  return `It is a flag itself, and the value is missing.${
    PATHS.test(flags) ? ` A file of that name would be ./${value}` : ""
  }`;
}
