/** What was measured over time, one line a run: a slow drift is seen there, where each single step looks like noise. */
import { tryRun } from "../helpers/peers.ts";
import type { Results } from "./report.ts";

const FILE = new URL("history.jsonl", import.meta.url);

/** Adds a run: its medians in milliseconds, beside those of the C loop. */
export function appendHistory({ machine, applies }: Pick<Results, "machine" | "applies">): void {
  Deno.writeTextFileSync(FILE, historyLine({ machine, applies, commit: headCommit() }), { append: true });
}

/** One line of the file. */
export function historyLine(run: Pick<Results, "machine" | "applies"> & { commit: string }): string {
  const { machine, applies, commit } = run;
  const [date = ""] = /\d{4}-\d\d-\d\d$/.exec(machine) ?? [];
  const figures = Object.fromEntries(applies.map(({ name, ours, loop }) => [
    name,
    { ms: Math.round(ours.medianMs), ...loop === undefined ? {} : { loopMs: Math.round(loop.medianMs) } },
  ]));
  return `${JSON.stringify({ date, commit, bench: "apply", machine, figures })}\n`;
}

function headCommit(): string {
  const { code, stdout } = tryRun("git", ["rev-parse", "--short=12", "HEAD"]);
  return code === 0 ? stdout.trim() : "unknown";
}
