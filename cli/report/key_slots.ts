/** What `repo key list` says. */
import type { KeySlot } from "../backup/keyring.ts";
import { type Console, layoutTable } from "../ui/mod.ts";

export interface SlotsReport {
  list(slots: readonly KeySlot[]): void;
}

export function slotsReport(console: Console): SlotsReport {
  return console.json ? new JsonSlotsReport(console) : new TextSlotsReport(console);
}

class JsonSlotsReport implements SlotsReport {
  constructor(private readonly console: Console) {}

  list(slots: readonly KeySlot[]): void {
    for (const slot of slots) this.console.outJson({ type: "slot", ...slot });
    this.console.outJson({ type: "summary", slots: slots.length });
  }
}

class TextSlotsReport implements SlotsReport {
  constructor(private readonly console: Console) {}

  list(slots: readonly KeySlot[]): void {
    const rows = slots.map(({ id, label, created }) => [id, created.slice(0, 19).replace("T", " "), label]);
    const lines = layoutTable([["slot", "created (UTC)", "label"], ...rows], ["left", "left", "left"]);
    for (const line of lines) this.console.out(line);
  }
}
