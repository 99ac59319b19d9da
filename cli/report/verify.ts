/** What `verify` says: each damage with where it hits, and what makes it whole again. */
import { formatSize, plural } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import type { Place } from "../backup/places.ts";
import type { Chosen } from "../backup/snapshots/choose.ts";
import { damageOf, type Finding, type VerifyResult } from "../backup/verify/verify.ts";
import type { Slice, VerifyMode } from "../backup/verify/verify_notes.ts";
import { type Console, formatDuration } from "../ui/mod.ts";

/** Places of one piece that a person is shown. */
const SHOWN_PLACES = 8;

export interface VerifyEnd {
  readonly mode: VerifyMode;
  readonly slice: Slice | undefined;
  readonly chosen: Chosen;
  readonly result: VerifyResult;
  readonly elapsedMs: number;
}

export interface VerifyReport {
  done(end: VerifyEnd): void;
}

export function verifyReport(console: Console): VerifyReport {
  return console.json ? new JsonVerifyReport(console) : new TextVerifyReport(console);
}

class JsonVerifyReport implements VerifyReport {
  constructor(private readonly console: Console) {}

  done({ mode, slice, chosen, result, elapsedMs }: VerifyEnd): void {
    for (const { name, damage } of chosen.damaged) {
      this.console.outJson({ type: "damage", kind: "manifest", id: name.id, reason: damage!.message });
    }
    for (const finding of result.findings) this.finding(finding);
    for (const { id, source: { name }, damaged } of incompleteOf(chosen)) {
      this.console.outJson({ type: "incomplete", snapshot: id, name, damaged });
    }
    const { pages, chunks, readChunks, fetchedBytes, hitSnapshots } = result;
    this.console.outJson({
      type: "summary",
      mode,
      slice,
      snapshots: chosen.snapshots.length,
      pages,
      chunks,
      readChunks,
      fetchedBytes,
      damaged: damageOf(result).length + chosen.damaged.length,
      hitSnapshots,
      elapsedMs: Math.round(elapsedMs),
    });
  }

  private finding(finding: Finding): void {
    const { kind, stem, reason } = finding;
    this.console.outJson(
      "places" in finding
        ? { type: "damage", kind, stem, reason, places: finding.places.map(placeJson) }
        : { type: kind, stem, reason },
    );
  }
}

/** What is as it was stored, and was not the whole disk then. */
function incompleteOf({ snapshots }: Chosen): Snapshot[] {
  return snapshots.filter(({ damaged }) => damaged !== undefined);
}

function placeJson({ snapshot, offsetBytes, lengthBytes }: Place) {
  return { snapshot: snapshot.id, name: snapshot.source.name, offsetBytes, lengthBytes };
}

class TextVerifyReport implements VerifyReport {
  constructor(private readonly console: Console) {}

  done({ mode, slice, chosen, result, elapsedMs }: VerifyEnd): void {
    const { console } = this;
    for (const { damage } of chosen.damaged) console.out(`manifest: ${damage!.message}`);
    for (const finding of result.findings) this.finding(finding);
    for (const { id, source: { name }, damaged } of incompleteOf(chosen)) {
      const lostBytes = damaged!.reduce((sum, { length }) => sum + length, 0);
      console.warn(
        `${name}@${id} is incomplete: ${
          formatSize(lostBytes)
        } of its source could not be read when it was backed ` +
          "up, and are zeros",
      );
    }
    const { pages, chunks, readChunks, fetchedBytes, hitSnapshots } = result;
    const what = slice === undefined ? mode : `sample ${slice.index + 1} of ${slice.count}`;
    console.tell(
      `${what}: ${plural(chosen.snapshots.length, "snapshot")}, ${plural(pages, "page")}, ` +
        `${plural(chunks, "chunk")}; ${readChunks} of them read, ${formatSize(fetchedBytes)}, ` +
        formatDuration(elapsedMs),
    );
    const damaged = damageOf(result).length + chosen.damaged.length;
    if (damaged === 0) {
      // Of chunks that were not read it is known that they are there, and no more.
      console.out(readChunks === 0 ? "everything that is needed is there" : "no damage found");
      return;
    }
    const hit = hitSnapshots.length + chosen.damaged.length;
    console.out(`${plural(damaged, "damage")} found; ${plural(hit, "snapshot")} hit`);
    this.advise(result);
  }

  /** What makes it whole again; nothing of it is done here, since a verification removes nothing that is needed. */
  private advise({ findings }: VerifyResult): void {
    if (findings.some(({ kind }) => kind === "chunk")) {
      this.console.tell(
        "the next backup of these disks stores the chunks anew, where they still hold the same",
      );
    }
    if (findings.some(({ kind }) => kind === "page")) {
      this.console.tell(
        "a page is stored anew by the next backup that reads the whole disk, if it is the same still",
      );
    }
  }

  private finding(finding: Finding): void {
    const { console } = this;
    console.out(`${finding.kind} ${finding.stem}: ${finding.reason}`);
    if (!("places" in finding)) return;
    for (const { snapshot, offsetBytes, lengthBytes } of finding.places.slice(0, SHOWN_PLACES)) {
      console.out(
        `  ${snapshot.source.name}@${snapshot.id}: ${formatSize(lengthBytes)} at byte ${offsetBytes}`,
      );
    }
    const more = finding.places.length - SHOWN_PLACES;
    if (more > 0) console.out(`  and ${more} more places; --json lists them all`);
  }
}
