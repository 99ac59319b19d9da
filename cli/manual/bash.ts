/** Completion for bash, 3.2 (macOS) and later. */
import { type FlagEntry, type Place, placesOf, type ProgramEntry, type ValueKind } from "./tree.ts";

/**
 * The script. Files are left to bash itself (`-o default`): it knows quoting and `~` better.
 *
 * bash cuts words at `=`, so `--flag=value` arrives as three words. The words of the command so far stand in `place`,
 * as `/repo/init`; a word that is no command where one is due makes it `?`, where nothing is offered.
 */
export function bashCompletion(program: ProgramEntry): string {
  const { name } = program;
  const places = placesOf(program);
  return `# Completion of ${name} for bash: source <(${name} completion bash)
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} place= words= i
  if [[ $current == "=" ]]; then
    current=
  elif [[ $before == "=" ]]; then
    before=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} != -* ]] || continue
    case "$place \${COMP_WORDS[i]}" in
      ${places.flatMap(stepsFrom).join(" | ")})
        place=$place/\${COMP_WORDS[i]}
        ;;
      ${places.filter(leadsOn).map((place) => `${quote(`${keyOf(place)} `)}*`).join(" | ")})
        place="?"
        break
        ;;
      *)
        break
        ;;
    esac
  done
  COMPREPLY=()
  case $place in
    "?")
      compopt +o default 2>/dev/null
      ;;
${places.map(placeCase).join("")}  esac
  if [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    compopt +o default 2>/dev/null
  fi
}
complete -o default -F _${name} ${name}
`;
}

function keyOf({ path }: Place): string {
  return path.map((word) => `/${word}`).join("");
}

function leadsOn({ next }: Place): boolean {
  return next.length > 0;
}

/** Each place with a word that leads on from it. */
function stepsFrom(place: Place): string[] {
  return place.next.map(({ name }) => quote(`${keyOf(place)} ${name}`));
}

function placeCase(place: Place): string {
  const { flags } = place;
  const flagCases = flags.filter(({ value }) => value !== undefined).map(valueCase).join("");
  const inner = flagCases === "" ? "" : `      case $before in\n${flagCases}      esac\n`;
  const whenFlag = flags.length === 0
    ? ""
    : `      [[ $current != -* ]] || words=${quote(flagWords(flags))}\n`;
  return `    ${quote(keyOf(place))})
${inner}${whenFlag}${otherwise(place)}      ;;
`;
}

/** What completes a word that is no flag: nothing at all where bash shall offer files. */
function otherwise(place: Place): string {
  if (place.path.length === 0) {
    const words = [...place.next.map(({ name }) => name), flagWords(place.flags)].join(" ");
    return `      words=${quote(words)}\n`;
  }
  const [argument] = place.arguments;
  const words = leadsOn(place)
    ? place.next.map(({ name }) => name)
    : argument?.is.kind === "choices"
    ? argument.is.choices
    : [];
  if (words.length > 0) return `      [[ $current == -* ]] || words=${quote(words.join(" "))}\n`;
  return place.arguments.some(({ is }) => is.kind === "file") ? "" : "      compopt +o default 2>/dev/null\n";
}

function valueCase(flag: FlagEntry): string {
  const names = flag.short === undefined ? flag.long : `${flag.short} | ${flag.long}`;
  return `        ${names})
          ${completeValue(flag.value!.is)}
          return
          ;;
`;
}

function completeValue(is: ValueKind): string {
  if (is.kind === "file") return ":";
  if (is.kind === "folder") {
    return `local IFS=$'\\n'
          COMPREPLY=($(compgen -d -- "$current"))
          compopt -o filenames 2>/dev/null`;
  }
  const words = is.kind === "choices" ? is.choices.join(" ") : "";
  return `COMPREPLY=($(compgen -W ${quote(words)} -- "$current"))
          compopt +o default 2>/dev/null`;
}

function flagWords(flags: readonly FlagEntry[]): string {
  return flags.map(({ long }) => long).join(" ");
}

function quote(text: string): string {
  return `'${text}'`;
}
