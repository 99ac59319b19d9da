/** Completion for fish. */
import { type FlagEntry, type Place, placesOf, type ProgramEntry, type ValueKind } from "./tree.ts";

/**
 * One line a word and a flag, each with the place where it may stand: `/repo/init`, or nothing behind the name of the
 * program. A word that is no command where one is due makes the place `unknown`, where nothing is offered.
 */
export function fishCompletion(program: ProgramEntry): string {
  const { name } = program;
  const places = placesOf(program);
  const steps = places.flatMap((place) => place.next.map((word) => quote(`${keyOf(place)} ${word.name}`)));
  const due = places.filter(({ next }) => next.length > 0).map((place) => quote(`${keyOf(place)} *`));
  return `# Completion of ${name} for fish: ${name} completion fish > ~/.config/fish/completions/${name}.fish
function __${name}_at
    set -l words (commandline -opc)
    set -e words[1]
    set -l place
    for word in $words
        string match -q -- '-*' $word; and continue
        switch "$place $word"
            case ${steps.join(" ")}
                set place "$place/$word"
            case ${due.join(" ")}
                set place unknown
                break
            case '*'
                break
        end
    end
    test "$place" = "$argv[1]"
end
${
    places.flatMap((place) => placeLines(place, name)).map((line) => `complete -c ${name} ${line}\n`).join("")
  }complete -c ${name} -n '__${name}_at unknown' -f
`;
}

function keyOf({ path }: Place): string {
  return path.map((word) => `/${word}`).join("");
}

/** Where a command is due, and where nothing is a file, files are not offered. */
function placeLines(place: Place, program: string): string[] {
  const at = `-n ${quote(`__${program}_at ${keyOf(place)}`.trimEnd())}`;
  const choices = place.arguments.flatMap(({ is }) => is.kind === "choices" ? is.choices : []);
  const mayBeFile = place.next.length === 0 && place.arguments.some(({ is }) => is.kind === "file");
  return [
    ...place.next.map((word) => `${at} -f -a ${word.name} -d ${quote(word.summary)}`),
    ...(choices.length > 0 ? [`${at} -f -a ${quote(choices.join(" "))}`] : mayBeFile ? [] : [`${at} -f`]),
    ...place.flags.map((flag) => `${at} ${flagPart(flag)}`),
  ];
}

function flagPart({ short, long, description, value }: FlagEntry): string {
  const letter = short === undefined ? "" : `-s ${short.slice(1)} `;
  const after = value === undefined ? "" : ` ${valuePart(value.is, value.optional)}`;
  return `${letter}-l ${long.replace(/^-+/, "")}${after} -d ${quote(description)}`;
}

function valuePart(is: ValueKind, optional: boolean): string {
  const required = optional ? "" : "-r ";
  if (is.kind === "choices") return `-x -a ${quote(is.choices.join(" "))}`;
  return {
    file: `${required}-F`,
    folder: `-x -a ${quote("(__fish_complete_directories)")}`,
    other: "-x",
  }[is.kind];
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
