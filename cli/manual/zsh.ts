/** Completion for zsh, as a function in `$fpath` or sourced. */
import type { ArgumentEntry, CommandEntry, FlagEntry, ProgramEntry, ValueKind } from "./tree.ts";

export function zshCompletion(program: ProgramEntry): string {
  const { name } = program;
  return `#compdef ${name}
# Completion of ${name} for zsh: source <(${name} completion zsh), or _${name} in a folder of $fpath
_${name}() {
  local curcontext=$curcontext state line ret=1
  typeset -A opt_args
  local -a commands
  commands=(
${program.commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}\n`).join("")}  )
  _arguments -C ${program.flags.map((flag) => `\\\n    ${flagSpec(flag)} `).join("")}\\
    '1: :->command' '*:: :->argument' && ret=0
  case $state in
    command)
      _describe -t commands '${name} command' commands && ret=0
      ;;
    argument)
      case $words[1] in
${program.commands.map(commandCase).join("")}      esac
      ;;
  esac
  return ret
}
if [[ \${funcstack[1]} == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

function commandCase(command: CommandEntry): string {
  const specs = [...command.flags.map(flagSpec), ...command.arguments.map(argumentSpec)];
  return `        ${command.name})
          _arguments -s -S ${specs.map((spec) => `\\\n            ${spec} `).join("")}&& ret=0
          ;;
`;
}

/** `'(-n --dry-run)'{-n,--dry-run}'[write nothing]'`; a flag that may be given again has a star in front. */
function flagSpec(flag: FlagEntry): string {
  const { short, long, description, value, repeatable } = flag;
  const text = `[${description.replace(/[[\]\\:]/g, "\\$&")}]`;
  const action = value === undefined
    ? ""
    : `${value.optional ? "::" : ":"}${value.name}:${actionOf(value.is)}`;
  const equals = value === undefined ? "" : "=";
  if (short === undefined) return quote(`${repeatable ? "*" : ""}${long}${equals}${text}${action}`);
  const shortEquals = value === undefined ? "" : "+";
  return `'(${short} ${long})'{${short}${shortEquals},${long}${equals}}${quote(text + action)}`;
}

function argumentSpec({ name, variadic, is }: ArgumentEntry): string {
  return quote(`${variadic ? "*" : ""}:${name}:${actionOf(is)}`);
}

function actionOf(is: ValueKind): string {
  if (is.kind === "choices") return `(${is.choices.join(" ")})`;
  return { file: "_files", folder: "_files -/", other: " " }[is.kind];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
