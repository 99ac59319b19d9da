/** What was opened, in numbers and in words; and what an apply would write. */
import { formatCount, formatSize } from "../../core-as/host/units.ts";
import type { LinkFacts, Opened, SnapshotFacts, Totals, View } from "../shared/protocol.ts";
import { formatDuration, formatExact, formatShare } from "../shared/units.ts";
import type { Inspector } from "./inspector.ts";
import type { PageState } from "./store.ts";
import { isDelta, linkOf, roleOf, scanWords, timeWords, viewName, viewsOf } from "./words.ts";

const SPEEDS_MBPS = [50, 100, 200, 500, 1000, 3000];

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
          name="Holes"
          value={opened.snapshot ? undefined : totals && formatExact(totals.holeBytes)}
          testId="fact-hole"
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
      {opened.remarks.map((remark) => <p key={remark} class="remark">{remark}</p>)}
      {isDelta(opened, view) && <Cost state={state} inspector={inspector} />}
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

/** Where all is well one line says so, and what stands behind it is folded. */
function Verdicts({ links }: { links: readonly LinkFacts[] }) {
  const verdicts = links.map((link) => <Verdict key={link.name} link={link} />);
  const judged = links.filter(({ verdict }) => verdict);
  if (judged.length < 2 || judged.some(({ verdict }) => !verdict?.matches)) return <>{verdicts}</>;
  return (
    <details class="verdict good">
      <summary>
        <strong>✓ All {judged.length} links match their parents</strong>
      </summary>
      {verdicts}
    </details>
  );
}

/** Whether a link stands on the one that it was made on. */
function Verdict({ link }: { link: LinkFacts }) {
  if (!link.verdict) return null;
  const { matches, sentences } = link.verdict;
  return (
    <div class={matches ? "verdict good" : "verdict bad"}>
      <p>
        <strong>{matches ? "✓ Matches its parent" : "✗ Does not match its parent"}</strong>{" "}
        <span>{link.name}</span>
      </p>
      {sentences.map((sentence) => <p key={sentence}>{sentence}</p>)}
    </div>
  );
}

/** What applying the link would write; zeros are counted as if they were written, which is the slowest case. */
function Cost({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const totals = state.scan?.totals;
  if (!totals) return null;
  const writtenBytes = totals.dataBytes + totals.zeroBytes;
  const seconds = writtenBytes / (state.speedMbps * 1e6);
  const time = `${seconds < 1 ? "" : "at most "}${formatDuration(seconds)}`;
  return (
    <div class="cost" data-testid="cost">
      <p>
        Applying this link writes <strong>{formatSize(totals.dataBytes)}</strong> of data and zeroes{" "}
        <strong>{formatSize(totals.zeroBytes)}</strong>: {time}{" "}
        {state.scan?.finished === false && "for what is scanned so far "}
        <label>
          at{" "}
          <select
            value={String(state.speedMbps)}
            onChange={({ currentTarget }) => inspector.store.set({ speedMbps: Number(currentTarget.value) })}
          >
            {SPEEDS_MBPS.map((speed) => <option key={speed} value={String(speed)}>{speed} MB/s</option>)}
          </select>
        </label>
      </p>
    </div>
  );
}
