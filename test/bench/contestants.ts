/** The programs that are measured: ours, the loop in C, a loop of 512 bytes in Ruby, and qemu-img. */
import { peer, run } from "../helpers/peers.ts";
import { REGRAIN } from "./installed.ts";
import type { Contestant } from "./measure.ts";

const LOOP_SOURCE = new URL("apply_loop.c", import.meta.url).pathname;
const SECTOR_LOOP = new URL("sector_loop.rb", import.meta.url).pathname;

/** Our own program, started as a user starts it. */
export function regrain(...args: readonly string[]): Contestant {
  return { name: "regrain", command: REGRAIN, args };
}

/** Our apply: deltas oldest first. */
export function regrainApply(deltas: readonly string[], target: string): Contestant {
  return regrain("apply", ...deltas, target, "--quiet");
}

/** Where an undo file goes, and between what. */
export interface UndoPaths {
  readonly delta: string;
  readonly target: string;
  /** Made anew by each run: both programs refuse to overwrite one. */
  readonly undo: string;
}

/** Our apply, with an undo file. */
export function regrainApplyUndo({ delta, target, undo }: UndoPaths): Contestant {
  return { ...regrain("apply", delta, target, "--quiet", "--undo", undo), prepare: () => removeOld(undo) };
}

/** Our apply, read back afterwards. */
export function regrainApplyVerify(delta: string, target: string): Contestant {
  return regrain("apply", delta, target, "--quiet", "--verify");
}

/** Our apply with the delta on standard input. */
export function regrainPipe(delta: string, target: string): Contestant {
  const { name, command, args } = regrain("apply", "-", target, "--quiet");
  return { name, command: "sh", args: ["-c", 'cat "$0" | "$@"', delta, command, ...args] };
}

async function removeOld(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A script without a line in it: what the runtime itself costs. */
export function emptyScript(folder: string): Contestant {
  const path = `${folder}/empty.ts`;
  Deno.writeTextFileSync(path, "");
  return { name: "empty script", command: Deno.execPath(), args: ["run", "-A", path] };
}

/** Compiles the loop into `folder` and returns its path, or `undefined` where there is no compiler. */
export function compileLoop(folder: string): string | undefined {
  const compiler = peer("cc");
  if (compiler === undefined) return undefined;
  const program = `${folder}/apply_loop`;
  run(compiler, ["-O2", "-o", program, LOOP_SOURCE]);
  return program;
}

/** The loop knows one delta: a chain takes it once a link. */
export function loopApply(program: string, delta: string, target: string): Contestant {
  return { name: "C loop", command: program, args: [delta, target] };
}

/** The loop, saving what it overwrites. */
export function loopApplyUndo(program: string, { delta, target, undo }: UndoPaths): Contestant {
  return {
    name: "C loop with undo",
    command: program,
    args: [delta, target, undo],
    prepare: () => removeOld(undo),
  };
}

/** Makes contestants that copy a COWD delta by 512 bytes, or `undefined` where there is no Ruby. */
export function sectorLoop(): ((delta: string, target: string) => Contestant) | undefined {
  const command = peer("ruby");
  if (command === undefined) return undefined;
  return (delta, target) => ({ name: "loop of 512 bytes", command, args: [SECTOR_LOOP, delta, target] });
}

/** `qemu-img convert` of a whole chain into a new file, or `undefined` where there is no qemu-img. */
export function qemuConvert(leaf: string, output: string): Contestant | undefined {
  const command = peer("qemu-img");
  if (command === undefined) return undefined;
  return { name: "qemu-img", command, args: ["convert", "-f", "vmdk", "-O", "raw", leaf, output] };
}
