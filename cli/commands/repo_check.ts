/** `regrain repo check`: whether everything in a repository has its place. */
import { formatSize, plural } from "../../core-as/host/mod.ts";
import { checkStructure, STRUCTURE_FINDINGS, type StructureFinding } from "../backup/verify/structure.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";
import { openRepository, type RepoFlags } from "../session/open_repository.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";

/** Objects of one sort that a person is shown. */
const SHOWN = 10;

export async function runRepoCheck(flags: CommonFlags & RepoFlags): Promise<number> {
  const console = new Console(flags);
  const repository = await openRepository(flags);
  try {
    const { findings, objects, bytes, snapshots } = await checkStructure(repository);
    const damaged = findings.filter(({ what }) => STRUCTURE_FINDINGS[what].isDamage).length;
    if (console.json) {
      for (const finding of findings) {
        console.outJson({ type: "finding", ...finding, ...STRUCTURE_FINDINGS[finding.what] });
      }
      console.outJson({ type: "summary", objects, bytes, snapshots, findings: findings.length, damaged });
    } else {
      for (const group of Map.groupBy(findings, ({ what }) => what).values()) printGroup(group, console);
      console.out(
        `${plural(objects, "object")}, ${formatSize(bytes)}, ${plural(snapshots, "snapshot")}: ` +
          (findings.length === 0 ? "everything has its place" : plural(findings.length, "finding")) +
          (damaged === 0 ? "" : `, ${damaged} of them damage`),
      );
      console.tell("regrain verify looks whether the chunks are there, and whole");
    }
    return damaged === 0 ? 0 : EXIT_DAMAGE;
  } finally {
    repository.close();
    console.flush();
  }
}

function printGroup(group: readonly StructureFinding[], console: Console): void {
  const { what } = group[0]!;
  const { isDamage, means } = STRUCTURE_FINDINGS[what];
  console.out(`${isDamage ? "damage" : "notice"}: ${what.replaceAll("-", " ")}: ${means}`);
  for (const { about, detail } of group.slice(0, SHOWN)) {
    console.out(`  ${about}${detail === undefined ? "" : ` (${detail})`}`);
  }
  if (group.length > SHOWN) console.out(`  and ${group.length - SHOWN} more; --json lists them all`);
}
