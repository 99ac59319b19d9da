/** The completions, by the shells they are for. */
import assert from "node:assert/strict";
import { run, testWithPeers, withTempDir } from "../../test/helpers/peers.ts";
import { createProgram } from "../program.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { readTree } from "./tree.ts";
import { zshCompletion } from "./zsh.ts";

const program = readTree(createProgram(() => {}));
const COMMANDS = program.commands.map(({ name }) => name);

/** Lines with the one word that completes them, in every shell. */
const UNIQUE = {
  "regrain app": "apply",
  "regrain apply --dry": "--dry-run",
  "regrain apply -n --sparse ne": "never",
  "regrain apply --sparse=ne": "never",
  "regrain apply one.vmdk --progress li": "lines",
  "regrain map --color=nev": "never",
  "regrain completion fi": "fish",
  "regrain help che": "check",
} as const;

/** What bash offers for each line. */
async function inBash(lines: readonly string[]): Promise<string[][]> {
  return await withTempDir(async (folder) => {
    await Deno.mkdir(`${folder}/a folder`);
    await Deno.writeTextFile(`${folder}/script.bash`, bashCompletion(program));
    const asks = lines.map((line) => {
      const words = line.split(/ |(=)/).filter((word) => word !== undefined).map((word) => `'${word}'`);
      return `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}; _regrain; ` +
        `printf '%s\\n' "\${COMPREPLY[@]}" --end--`;
    });
    const script = [`set -u; cd '${folder}'; source ./script.bash; complete -p regrain`, ...asks].join("\n");
    const [first, ...blocks] = run("bash", ["--norc", "-c", script]).split(/^complete (.*)\n/).slice(1);
    assert.equal(first, "-o default -F _regrain regrain");
    return blocks.join("").split("--end--\n").slice(0, -1)
      .map((block) => block.split("\n").filter((word) => word !== ""));
  });
}

testWithPeers("bash completes commands, flags and choices", ["bash"], async () => {
  assert.deepEqual(await inBash(Object.keys(UNIQUE)), Object.values(UNIQUE).map((word) => [word]));
  const [commands, afterHelp] = await inBash(["regrain ", "regrain help "]);
  assert.deepEqual(commands, [...COMMANDS, "--version", "--help"]);
  assert.deepEqual(afterHelp, COMMANDS);
});

testWithPeers(
  "bash completes every flag of every command, and every value that is known",
  ["bash"],
  async () => {
    const expected = program.commands.flatMap(({ name, flags }) => [
      [`regrain ${name} --`, flags.map(({ long }) => long)] as const,
      ...flags.flatMap(({ short, long, value }) => {
        if (value?.is.kind !== "choices") return [];
        const { choices } = value.is;
        return [`${long} `, `${long}=`, ...(short === undefined ? [] : [`${short} `])]
          .map((text) => [`regrain ${name} ${text}`, choices] as const);
      }),
    ]);
    assert.deepEqual(await inBash(expected.map(([line]) => line)), expected.map(([, words]) => [...words]));
  },
);

testWithPeers(
  "bash is left to complete files itself, and completes folders with blanks in them",
  ["bash"],
  async () => {
    const [image, afterFlag, undo, folder] = await inBash([
      "regrain apply vm",
      "regrain apply -n vm",
      "regrain apply --undo vm",
      "regrain apply --search a",
    ]);
    assert.deepEqual([image, afterFlag, undo, folder], [[], [], [], ["a folder"]]);
  },
);

testWithPeers("fish completes commands, flags, choices and files", ["fish"], async () => {
  await withTempDir(async (folder) => {
    await Deno.writeTextFile(`${folder}/vm.img`, "");
    await Deno.writeTextFile(`${folder}/script.fish`, fishCompletion(program));
    const complete = (line: string) =>
      run("fish", ["--no-config", "-c", `cd '${folder}'; source script.fish; complete -C '${line}'`])
        .split("\n").filter((word) => word !== "").map((word) => word.split("\t")[0]!);
    for (const [line, word] of Object.entries(UNIQUE)) {
      const [, flag = ""] = /(--\w+=)\w*$/.exec(line) ?? [];
      assert.deepEqual(complete(line), [flag + word], line);
    }
    assert.deepEqual(complete("regrain ").toSorted(), COMMANDS.toSorted());
    assert.deepEqual(complete("regrain apply vm"), ["vm.img"]);
    assert.deepEqual(complete("regrain man v"), []);
  });
});

/** Types lines into a zsh on a terminal of its own, each with a tab behind it, and prints what they became. */
const ZSH_DRIVER = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell $'PS1=\\nautoload -U compinit && compinit -u -D; source ./script.zsh'
zpty -w shell $'show() { print -r -- "<<$BUFFER>>"; BUFFER= }; zle -N show; bindkey "^X" show; print READY-$((1+1))'
zpty -r shell out '*READY-2*'
for line in "$@"; do
  zpty -w -n shell "$line"$'\\t\\x18'
  zpty -r shell out '*<<*>>*'
  print -r -- "\${\${out##*<<}%%>>*}"
done
zpty -d shell
`;

testWithPeers("zsh completes commands, flags, choices and files", ["zsh"], async () => {
  await withTempDir(async (folder) => {
    await Deno.writeTextFile(`${folder}/vm.img`, "");
    await Deno.writeTextFile(`${folder}/script.zsh`, zshCompletion(program));
    const lines = [...Object.keys(UNIQUE), "regrain apply vm"];
    const script = `cd '${folder}'\n${ZSH_DRIVER}`;
    const found = run("zsh", ["-f", "-c", script, "zsh", ...lines]).trimEnd().split("\n");
    const expected = Object.entries(UNIQUE).map(([line, word]) => line.replace(/[^ =]*$/, word));
    assert.deepEqual(found.map((line) => line.trim()), [...expected, "regrain apply vm.img"]);
  });
});
