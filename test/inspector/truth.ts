/** What the page must say of a disk: totals as `regrain map --json` has them. */
import assert from "node:assert/strict";
import type { RunKind } from "../../core-as/host/mod.ts";
import type { Totals } from "../../inspector-web/shared/protocol.ts";
import { regrainExits } from "../helpers/cli.ts";

interface MapDocument {
  readonly image: string;
  readonly runs: readonly { readonly length: number; readonly kind: RunKind }[];
}

/**
 * Totals of many images, by one call. A browser cannot ask a file for its holes, so the command is not to either.
 *
 * @param options `chain`: of each with all that lies below.
 */
export function mapTotals(images: readonly string[], options: { chain: boolean }): Totals[] {
  const flags = options.chain ? ["--chain"] : [];
  const { stdout } = regrainExits(0, ["map", "--json", "--io", "portable", ...flags, ...images]);
  const documents = stdout.split(/^(?=\{"version":)/m).map((text): MapDocument => JSON.parse(text));
  assert.deepEqual(documents.map(({ image }) => image), [...images]);
  return documents.map(totalsOf);
}

export function totalsOf({ runs }: Pick<MapDocument, "runs">): Totals {
  const bytes = { data: 0, zero: 0, hole: 0, damaged: 0 };
  for (const { kind, length } of runs) bytes[kind] += length;
  const runCount = runs.filter(({ kind }) => kind === "data" || kind === "zero").length;
  const { data, zero, hole, damaged } = bytes;
  return { dataBytes: data, zeroBytes: zero, holeBytes: hole, damagedBytes: damaged, runCount };
}
