/** What `repo copy` says: of each snapshot what became of it, and the sums. */
import { formatSize, plural, type RegrainError } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import type { CopyTotals } from "../backup/make/copy_all.ts";
import type { Console } from "../ui/mod.ts";

export abstract class CopyReport {
  constructor(protected readonly console: Console) {}

  /** @param copy `undefined` where it was copied before. */
  abstract copied(snapshot: Snapshot, copy: Snapshot | undefined): void;
  abstract done(totals: CopyTotals): void;

  leftOut({ id, source: { name } }: Snapshot, { message }: RegrainError): void {
    this.console.warn(
      `${name}@${id} is not copied: ${message}; regrain restore --damaged zeros writes what can be read of it`,
    );
  }
}

export function copyReport(console: Console): CopyReport {
  return console.json ? new JsonCopyReport(console) : new TextCopyReport(console);
}

class JsonCopyReport extends CopyReport {
  copied({ id, source: { name } }: Snapshot, copy: Snapshot | undefined): void {
    this.console.outJson({ type: "snapshot", name, id, copy: copy?.id ?? null, stats: copy?.stats });
  }

  override leftOut(snapshot: Snapshot, error: RegrainError): void {
    const { id, source: { name } } = snapshot;
    const { code, message } = error;
    this.console.outJson({ type: "snapshot", name, id, copy: null, damage: { code, message } });
    super.leftOut(snapshot, error);
  }

  done({ copied, there, leftOut, vms, storedBytes }: CopyTotals): void {
    this.console.outJson({ type: "summary", copied, there, leftOut, vms, storedBytes });
  }
}

class TextCopyReport extends CopyReport {
  copied({ id, source: { name } }: Snapshot, copy: Snapshot | undefined): void {
    if (copy === undefined) return this.console.tell(`${name}@${id} was copied before`);
    this.console.out(`${name}@${id} -> ${copy.id}, ${formatSize(copy.stats.storedBytes)} stored`);
  }

  done({ copied, there, leftOut, vms, storedBytes }: CopyTotals): void {
    if (vms > 0) this.console.out(`${plural(vms, "snapshot")} of whole VMs copied`);
    this.console.out(
      `${plural(copied, "snapshot")} copied, ${formatSize(storedBytes)} stored; ${there} ${
        there === 1 ? "was" : "were"
      } there already` +
        (leftOut === 0 ? "" : `; ${leftOut} damaged, left out`),
    );
  }
}
