/** The runs of a disk as one JSON document. */
import type { PlacedRun } from "../../core-as/host/mod.ts";
import type { Console } from "../ui/mod.ts";

/** Written as the runs come: the list of a large disk never stands in memory. */
export async function outRuns(
  console: Console,
  head: Readonly<Record<string, unknown>>,
  runs: AsyncIterable<PlacedRun>,
): Promise<void> {
  const files = new Map<string, number>();
  console.out(`${JSON.stringify({ version: 1, ...head }).slice(0, -1)},"runs":[`);
  let comma = "";
  for await (const run of runs) {
    const { file, ...rest } = run;
    if (file !== undefined && !files.has(file)) files.set(file, files.size);
    console.out(comma + JSON.stringify(file === undefined ? rest : { ...rest, file: files.get(file) }));
    comma = ",";
  }
  console.out(`],"files":${JSON.stringify([...files.keys()])}}`);
}
