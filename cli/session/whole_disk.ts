/** A disk with all links below it, for the commands that read it as a guest would. */
import { Disk, doubtsOfDisk, judgeChain, type Link, openChain, refusalOf } from "../../core-as/host/mod.ts";
import type { Console } from "../ui/mod.ts";
import { findingLine, takeDoubts, tellVerdict } from "../ui/describe.ts";
import type { Session } from "./session.ts";

/** Flag of every command that opens a chain and has nothing else to force. */
export interface ChainFlags {
  readonly force?: boolean | undefined;
}

/**
 * Opens a raw image, a device, or a VMDK with all links below it.
 *
 * @throws {RegrainError} what opening may; unless forced `CHAIN_BROKEN` when two links do not belong together, and what
 * speaks against a whole disk: see {@link takeDoubts}.
 */
export async function openWholeDisk(
  path: string,
  { context, console }: Pick<Session, "context" | "console">,
  { force }: ChainFlags,
): Promise<Disk> {
  const disk = new Disk(context.core, await openChain(path, context));
  try {
    requireOneDisk(disk.links, { console, force: force ?? false });
    takeDoubts(console, doubtsOfDisk(disk.links), { force });
    tellFlatLooks(disk.links, console);
    return disk;
  } catch (error) {
    disk.close();
    throw error;
  }
}

/** Everything else that is odd and harmless is told by the commands that look for it. This may be another disk. */
function tellFlatLooks(links: readonly Link[], console: Console): void {
  const findings = links.flatMap(({ extents }) => extents.flatMap(({ extent }) => extent.findings));
  for (const finding of findings) {
    if (finding.kind === "flat-looks-otherwise") console.warn(findingLine(finding));
  }
}

/** Refuses links that do not belong together, and warns of what is not known. */
export function requireOneDisk(
  links: readonly Link[],
  { console, force }: { console: Console; force: boolean },
): void {
  for (const verdict of judgeChain(links)) {
    const refusal = refusalOf(verdict);
    if (refusal && !force) throw refusal;
    tellVerdict(console, verdict);
  }
}
