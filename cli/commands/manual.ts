/** `regrain completion` and `regrain man`: what the command tree tells about itself. */
import { bashCompletion } from "../manual/bash.ts";
import { fishCompletion } from "../manual/fish.ts";
import { manPage, type ManualFacts } from "../manual/man_page.ts";
import { type CommandTree, readTree } from "../manual/tree.ts";
import { zshCompletion } from "../manual/zsh.ts";
import { Console } from "../ui/mod.ts";

const COMPLETIONS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;
export type Shell = keyof typeof COMPLETIONS;

/** Prints the script that completes the commands and flags of `program`. */
export function runCompletion(shell: Shell, program: CommandTree): number {
  return print(COMPLETIONS[shell](readTree(program)));
}

/** Prints the manual page of `program`. */
export function runMan(program: CommandTree, facts: ManualFacts): number {
  return print(manPage(readTree(program), facts));
}

function print(text: string): number {
  const console = new Console({});
  console.outText(text.replace(/\n$/, ""));
  console.flush();
  return 0;
}
