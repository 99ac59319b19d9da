/** The runs of a view as `regrain map --json` writes them, and as CSV. */
import { SECTOR_SIZE, STRICT } from "../../../core-as/host/mod.ts";
import { continues, DATA, kindName, type PlacedRun, type Runs, walkRuns } from "../disk/runs.ts";

/** Characters gathered before they become a part of the blob, which the browser may keep on disk. */
const PART_CHARACTERS = 1024 * 1024;

/** Text that grows without standing in memory as one string. */
class Text {
  private readonly parts: Blob[] = [];
  private lines: string[] = [];
  private characters = 0;

  line(line: string): void {
    this.lines.push(line, "\n");
    this.characters += line.length;
    if (this.characters >= PART_CHARACTERS) this.flush();
  }

  blob(type: string): Blob {
    this.flush();
    return new Blob(this.parts, { type });
  }

  private flush(): void {
    this.parts.push(new Blob(this.lines));
    this.lines = [];
    this.characters = 0;
  }
}

/** Every run, neighbours that go on merged; refuses damage, of which a list of runs could say nothing. */
async function eachRun(runs: Runs, visit: (run: PlacedRun) => void): Promise<void> {
  let last: PlacedRun | undefined;
  await walkRuns(runs, { from: 0, to: runs.capacitySectors, observer: STRICT }, (run) => {
    if (last && continues(last, run)) {
      last.length += run.length;
      return;
    }
    if (last) visit(last);
    last = { ...run };
  });
  if (last) visit(last);
}

/** @throws {RegrainError} `DAMAGED` where the tables are. */
export async function exportJson(runs: Runs): Promise<Blob> {
  const text = new Text();
  const capacityBytes = runs.capacitySectors * SECTOR_SIZE;
  text.line(`{"version":1,"image":${JSON.stringify(runs.name)},"capacityBytes":${capacityBytes},"runs":[`);
  const files = new Map<number, number>();
  let comma = "";
  await eachRun(runs, (run) => {
    const base = {
      start: run.start * SECTOR_SIZE,
      length: run.length * SECTOR_SIZE,
      kind: kindName(run.kind),
    };
    let entry: object = base;
    if (run.kind === DATA) {
      if (!files.has(run.file)) files.set(run.file, files.size);
      const place = Number.isNaN(run.place) ? {} : { fileOffset: run.place * SECTOR_SIZE };
      entry = { ...base, ...place, file: files.get(run.file) };
    }
    text.line(comma + JSON.stringify(entry));
    comma = ",";
  });
  text.line(`],"files":${JSON.stringify([...files.keys()].map((file) => runs.files[file]))}}`);
  return text.blob("application/json");
}

/** @throws {RegrainError} `DAMAGED` where the tables are. */
export async function exportCsv(runs: Runs): Promise<Blob> {
  const text = new Text();
  text.line("start,length,kind,fileOffset,file");
  await eachRun(runs, ({ start, length, kind, place, file }) => {
    const at = Number.isNaN(place) ? "" : String(place * SECTOR_SIZE);
    const name = kind === DATA ? quoteForCsv(runs.files[file] ?? "") : "";
    text.line([start * SECTOR_SIZE, length * SECTOR_SIZE, kindName(kind), at, name].join(","));
  });
  return text.blob("text/csv");
}

/** RFC 4180; a spreadsheet would take a name that begins like a formula for one. */
function quoteForCsv(text: string): string {
  const plain = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
