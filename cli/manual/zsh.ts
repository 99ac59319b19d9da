/** Completion for zsh, as a function in `$fpath` or sourced. */
import {
  type ArgumentEntry,
  type FlagEntry,
  type Place,
  placesOf,
  type ProgramEntry,
  type ValueKind,
} from "./tree.ts";

/** One function for each place where a command is due: `_regrain`, `_regrain_repo`. */
export function zshCompletion(program: ProgramEntry): string {
  const { name } = program;
  const places = placesOf(program);
  const dispatchers = places.filter(({ next }) => next.length > 0).map((place) =>
    dispatcher(name, place, places)
  );
  return `#compdef ${name}
# Completion of ${name} for zsh: source <(${name} completion zsh), or _${name} in a folder of $fpath
${dispatchers.join("")}if [[ \${funcstack[1]} == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

/** Completes the next word, or hands all words from there on to what that word stands for. */
function dispatcher(program: string, place: Place, places: readonly Place[]): string {
  const { path, next, flags } = place;
  const below = places.filter((each) => each.path.length === path.length + 1 && startsWith(each.path, path));
  return `${functionOf(program, path)}() {
  local curcontext=$curcontext state line ret=1
  typeset -A opt_args
  local -a commands
  commands=(
${next.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}\n`).join("")}  )
  _arguments -C ${flags.map((flag) => `\\\n    ${flagSpec(flag)} `).join("")}\\
    '1: :->command' '*:: :->argument' && ret=0
  case $state in
    command)
      _describe -t commands '${[program, ...path].join(" ")} command' commands && ret=0
      ;;
    argument)
      case $words[1] in
${below.map((each) => placeCase(program, each)).join("")}      esac
      ;;
  esac
  return ret
}
`;
}

function placeCase(program: string, place: Place): string {
  const specs = [...place.flags.map(flagSpec), ...place.arguments.map(argumentSpec)];
  const body = place.next.length > 0
    ? `${functionOf(program, place.path)} && ret=0`
    : specs.length > 0
    ? `_arguments -s -S ${specs.map((spec) => `\\\n            ${spec} `).join("")}&& ret=0`
    : "_message 'no more arguments'";
  return `        ${place.path.at(-1)})
          ${body}
          ;;
`;
}

function functionOf(program: string, path: readonly string[]): string {
  return `_${[program, ...path].join("_")}`;
}

function startsWith(path: readonly string[], start: readonly string[]): boolean {
  return start.every((word, i) => path[i] === word);
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
