/** What was opened, in numbers and in words. */
import { formatCount, formatSize } from "../../../core-as/host/units.ts";
import type { Opened, SnapshotFacts, Totals, View } from "../../shared/protocol.ts";
import { formatExact, formatShare } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";
import { Judgement, Verdicts } from "./judgement.tsx";
import type { PageState } from "../model/store.ts";
import { linkOf, roleOf, scanWords, timeWords, viewName, viewsOf } from "../model/words.ts";

export function Facts({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { opened, view, scan } = state;
  if (!opened) return null;
  const shown = linkOf(opened, view);
  const totals = scan?.totals;
  const capacityBytes = opened.capacitySectors * 512;
  return (
    <section data-testid="facts" aria-labelledby="facts-title">
      <h2 id="facts-title">Facts</h2>
      {opened.links.length > 1 && (
        <label class="field">
          Disk shown
          <select
            value={String(view)}
            onChange={({ currentTarget: { value } }) =>
              inspector.navigation.choose(
                viewsOf(opened).find((each) => String(each) === value) ?? opened.start,
              )}
          >
            {viewsOf(opened).map((each) => (
              <option key={each} value={String(each)}>{optionWords(opened, each)}</option>
            ))}
          </select>
        </label>
      )}
      <dl>
        {opened.snapshot && <SnapshotRows snapshot={opened.snapshot} />}
        <Fact name="Format" value={opened.snapshot ? undefined : shown?.format} />
        <Fact name="Capacity" value={formatExact(capacityBytes)} />
        <Fact
          name="Grain"
          value={shown?.grainBytes === undefined ? undefined : formatSize(shown.grainBytes)}
        />
        <Fact name="Data" value={totals && formatExact(totals.dataBytes)} testId="fact-data" />
        <Fact name="Zeros" value={totals && formatExact(totals.zeroBytes)} testId="fact-zero" />
        <Fact
          name="Unchanged"
          value={opened.snapshot ? undefined : totals && formatExact(totals.holeBytes)}
          testId="fact-hole"
        />
        <Fact
          name="Damaged"
          value={totals && totals.damagedBytes > 0 ? formatExact(totals.damagedBytes) : undefined}
          testId="fact-damaged"
        />
        <Fact
          name="Filled"
          value={totals && formatShare(opened.snapshot ? totals.dataBytes : written(totals), capacityBytes)}
        />
        <Fact name="Runs" value={totals && totals.runCount.toLocaleString("en")} />
        <Fact name="Content id" value={shown?.cid} />
        <Fact name="Parent id" value={shown?.parentCid} />
        <Fact name="Parent" value={shown?.parentHint} />
      </dl>
      <p class="quiet" data-testid="scan-state">
        {viewName(opened, view)}: {scanWords(scan)}
        {scan && !scan.finished && (
          <progress aria-label="Scanned" max={scan.totalSectors} value={scan.doneSectors} />
        )}
      </p>
      <Verdicts links={opened.links} />
      <Judgement state={state} inspector={inspector} />
      {opened.remarks.map((remark) => <p key={remark} class="remark">{remark}</p>)}
    </section>
  );
}

function optionWords(opened: Opened, view: View): string {
  const link = typeof view === "number" ? opened.links[view] : undefined;
  const name = viewName(opened, view);
  return link && typeof view === "number" ? `${name} (${roleOf(link, view)})` : name;
}

function written({ dataBytes, zeroBytes }: Totals): number {
  return dataBytes + zeroBytes;
}

function SnapshotRows({ snapshot }: { snapshot: SnapshotFacts }) {
  const { id, name, createdMs, host, method, tags, chunks, newChunks } = snapshot;
  return (
    <>
      <Fact name="Disk" value={name} />
      <Fact name="Taken" value={timeWords(createdMs)} />
      <Fact name="Snapshot" value={id} />
      <Fact name="On" value={host} />
      <Fact name="Changes by" value={method} />
      <Fact name="Chunks" value={`${formatCount(chunks)}, ${formatCount(newChunks)} stored anew`} />
      <Fact name="Tags" value={tags.length > 0 ? tags.join(", ") : undefined} />
    </>
  );
}

function Fact({ name, value, testId }: { name: string; value: string | undefined; testId?: string }) {
  if (value === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd data-testid={testId}>{value}</dd>
    </div>
  );
}
