/** The completions, by the shells they are for. */
import assert from "node:assert/strict";
import { run, testWithPeers, withTempDir } from "../../test/helpers/peers.ts";
import { Argument, Command, Option } from "@commander-js/extra-typings";
import { createProgram } from "../program.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { leavesOf, placesOf, readTree } from "./tree.ts";
import { zshCompletion } from "./zsh.ts";

const program = readTree(createProgram(() => {}));
const COMMANDS = program.commands.map(({ name }) => name);
const REPO_COMMANDS = program.commands.find(({ name }) => name === "repo")!.commands.map(({ name }) => name);

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
  "regrain repo ini": "init",
  "regrain repo init --enc": "--encrypt",
  "regrain repo init --encrypt --color ne": "never",
  "regrain repo --he": "--help",
  "regrain help repo ini": "init",
} as const;

/** Commands three words deep, whatever regrain itself has. */
const deep = readTree(
  new Command("regrain").helpCommand(false)
    .addCommand(new Command("info").argument("<IMAGE...>", "of what"))
    .addCommand(
      new Command("repo").helpCommand(false).addCommand(new Command("init")).addCommand(
        new Command("key").summary("keys: theirs [all]").helpCommand(false).addCommand(
          new Command("add").addArgument(new Argument("<KIND>", "which").choices(["paper", "stone"] as const))
            .addOption(new Option("--shape <shape>", "its shape").choices(["round", "square"] as const))
            .option("--from <FILE>", "made from"),
        ).addCommand(new Command("remove").argument("<SLOT>", "which")),
      ),
    )
    .addCommand(new Command("help").argument("[COMMAND...]", "of what")),
);

/** Lines with all that they may go on with. */
const DEEP = {
  "regrain repo k": ["key"],
  "regrain repo key ": ["add", "remove"],
  "regrain repo key add ": ["paper", "stone"],
  "regrain repo key add --he": ["--help"],
  "regrain repo key add --shape sq": ["square"],
  "regrain repo key add --shape round pa": ["paper"],
  "regrain repo key add --from vm": ["vm.img"],
  "regrain repo key remove vm": [],
  "regrain repo nothing ": [],
  "regrain help repo key ad": ["add"],
  "regrain help repo key add v": [],
  "regrain info repo v": ["vm.img"],
} as const;

/** What bash offers for each line. */
async function inBash(lines: readonly string[], tree = program): Promise<string[][]> {
  return await withTempDir(async (folder) => {
    await Deno.mkdir(`${folder}/a folder`);
    await Deno.writeTextFile(`${folder}/script.bash`, bashCompletion(tree));
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
  const [commands, afterHelp, repo] = await inBash(["regrain ", "regrain help ", "regrain repo "]);
  assert.deepEqual(commands, [...COMMANDS, "--version", "--help"]);
  assert.deepEqual(afterHelp, COMMANDS);
  assert.deepEqual(repo, REPO_COMMANDS);
});

testWithPeers("bash completes commands below commands", ["bash"], async () => {
  // Files are bash's own matter, and no part of what the script offers.
  const expected = Object.values(DEEP).map((words) => words.filter((word) => word !== "vm.img"));
  assert.deepEqual(await inBash(Object.keys(DEEP), deep), expected);
});

testWithPeers(
  "bash completes every flag of every command, and every value that is known",
  ["bash"],
  async () => {
    const behindCommands = placesOf(program).filter(({ path }) => path.length > 0);
    assert.ok(behindCommands.length > leavesOf(program).length);
    const expected = behindCommands.flatMap(({ path, flags }) => [
      [`regrain ${path.join(" ")} --`, flags.map(({ long }) => long)] as const,
      ...flags.flatMap(({ short, long, value }) => {
        if (value?.is.kind !== "choices") return [];
        const { choices } = value.is;
        return [`${long} `, `${long}=`, ...(short === undefined ? [] : [`${short} `])]
          .map((text) => [`regrain ${path.join(" ")} ${text}`, choices] as const);
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

/** What fish offers for each line. */
async function inFish(lines: readonly string[], tree = program): Promise<string[][]> {
  return await withTempDir(async (folder) => {
    await Deno.writeTextFile(`${folder}/vm.img`, "");
    await Deno.writeTextFile(`${folder}/script.fish`, fishCompletion(tree));
    const asks = lines.map((line) => `complete -C '${line}'; echo --end--`);
    const script = [`cd '${folder}'; source script.fish`, ...asks].join("\n");
    return run("fish", ["--no-config", "-c", script]).split("--end--\n").slice(0, -1)
      .map((block) =>
        block.split("\n").filter((word) => word !== "").map((word) => word.split("\t")[0]!).toSorted()
      );
  });
}

testWithPeers("fish completes commands, flags, choices and files", ["fish"], async () => {
  const expected = Object.entries(UNIQUE).map(([line, word]) => {
    const [, flag = ""] = /(--\w+=)\w*$/.exec(line) ?? [];
    return [flag + word];
  });
  assert.deepEqual(await inFish(Object.keys(UNIQUE)), expected);
  const more = await inFish(["regrain ", "regrain apply vm", "regrain man v", "regrain repo "]);
  assert.deepEqual(more, [COMMANDS.toSorted(), ["vm.img"], [], REPO_COMMANDS.toSorted()]);
});

testWithPeers("fish completes commands below commands", ["fish"], async () => {
  assert.deepEqual(await inFish(Object.keys(DEEP), deep), Object.values(DEEP).map((words) => [...words]));
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

/** What each line becomes in zsh. */
async function inZsh(lines: readonly string[], tree = program): Promise<string[]> {
  return await withTempDir(async (folder) => {
    await Deno.writeTextFile(`${folder}/vm.img`, "");
    await Deno.writeTextFile(`${folder}/script.zsh`, zshCompletion(tree));
    const script = `cd '${folder}'\n${ZSH_DRIVER}`;
    const found = run("zsh", ["-f", "-c", script, "zsh", ...lines]).trimEnd().split("\n");
    return found.map((line) => line.trim());
  });
}

testWithPeers("zsh completes commands, flags, choices and files", ["zsh"], async () => {
  const expected = Object.entries(UNIQUE).map(([line, word]) => line.replace(/[^ =]*$/, word));
  const found = await inZsh([...Object.keys(UNIQUE), "regrain apply vm"]);
  assert.deepEqual(found, [...expected, "regrain apply vm.img"]);
});

testWithPeers("zsh completes commands below commands", ["zsh"], async () => {
  // Where there are several, zsh lists them and leaves the line as it is.
  const expected = Object.entries(DEEP).map(([line, words]) =>
    (words.length === 1 ? line.replace(/[^ ]*$/, words[0]) : line).trim()
  );
  assert.deepEqual(await inZsh(Object.keys(DEEP), deep), expected);
});
