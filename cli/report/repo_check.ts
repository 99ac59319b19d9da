/** What `repo check` says: what has no place, or no right one. */
import { formatSize, plural } from "../../core-as/host/mod.ts";
import {
  STRUCTURE_FINDINGS,
  type StructureFinding,
  type StructureResult,
} from "../backup/verify/structure.ts";
import type { Console } from "../ui/mod.ts";

/** Objects of one sort that a person is shown. */
const SHOWN = 10;

export interface StructureReport {
  done(result: StructureResult): void;
}

export function structureReport(console: Console): StructureReport {
  return console.json ? new JsonStructureReport(console) : new TextStructureReport(console);
}

/** How many of the findings are damage. */
export function damageCount({ findings }: Pick<StructureResult, "findings">): number {
  return findings.filter(({ what }) => STRUCTURE_FINDINGS[what].isDamage).length;
}

class JsonStructureReport implements StructureReport {
  constructor(private readonly console: Console) {}

  done(result: StructureResult): void {
    const { findings, objects, bytes, snapshots } = result;
    for (const finding of findings) {
      this.console.outJson({ type: "finding", ...finding, ...STRUCTURE_FINDINGS[finding.what] });
    }
    const damaged = damageCount(result);
    this.console.outJson({ type: "summary", objects, bytes, snapshots, findings: findings.length, damaged });
  }
}

class TextStructureReport implements StructureReport {
  constructor(private readonly console: Console) {}

  done(result: StructureResult): void {
    const { findings, objects, bytes, snapshots } = result;
    for (const group of Map.groupBy(findings, ({ what }) => what).values()) this.group(group);
    const damaged = damageCount(result);
    this.console.out(
      `${plural(objects, "object")}, ${formatSize(bytes)}, ${plural(snapshots, "snapshot")}: ` +
        (findings.length === 0 ? "everything has its place" : plural(findings.length, "finding")) +
        (damaged === 0 ? "" : `, ${damaged} of them damage`),
    );
    this.console.tell("regrain verify looks whether the chunks are there, and whole");
  }

  private group(group: readonly StructureFinding[]): void {
    const { what } = group[0]!;
    const { isDamage, means } = STRUCTURE_FINDINGS[what];
    this.console.out(`${isDamage ? "damage" : "notice"}: ${what.replaceAll("-", " ")}: ${means}`);
    for (const { about, detail } of group.slice(0, SHOWN)) {
      this.console.out(`  ${about}${detail === undefined ? "" : ` (${detail})`}`);
    }
    if (group.length > SHOWN) {
      this.console.out(`  and ${group.length - SHOWN} more; --json lists them all`);
    }
  }
}
