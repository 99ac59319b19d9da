/** Completion for bash, 3.2 (macOS) and later. */
import type { CommandEntry, FlagEntry, ProgramEntry, ValueKind } from "./tree.ts";

/**
 * The script. Files are left to bash itself (`-o default`): it knows quoting and `~` better.
 *
 * bash cuts words at `=`, so `--flag=value` arrives as three words.
 */
export function bashCompletion(program: ProgramEntry): string {
  const { name } = program;
  const commands = program.commands.map((command) => command.name).join(" ");
  return `# Completion of ${name} for bash: source <(${name} completion bash)
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command= words= i
  if [[ $current == "=" ]]; then
    current=
  elif [[ $before == "=" ]]; then
    before=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i]} != -* ]]; then
      command=\${COMP_WORDS[i]}
      break
    fi
  done
  COMPREPLY=()
  case $command in
    "")
      words=${quote(`${commands} ${flagWords(program.flags)}`)}
      ;;
${program.commands.map(commandCase).join("")}  esac
  if [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    compopt +o default 2>/dev/null
  fi
}
complete -o default -F _${name} ${name}
`;
}

function commandCase(command: CommandEntry): string {
  const values = command.flags.filter(({ value }) => value !== undefined);
  const [argument] = command.arguments;
  const words = argument?.is.kind === "choices" ? argument.is.choices.join(" ") : undefined;
  const flagCases = values.map(valueCase).join("");
  const inner = flagCases === "" ? "" : `      case $before in\n${flagCases}      esac\n`;
  const otherwise = words === undefined ? "" : `      [[ $current == -* ]] || words=${quote(words)}\n`;
  return `    ${command.name})
${inner}      [[ $current != -* ]] || words=${quote(flagWords(command.flags))}
${otherwise}      ;;
`;
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
