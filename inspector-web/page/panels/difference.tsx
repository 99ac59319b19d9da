/** How the snapshot that is shown differs from another one, and whether its chunks are sound. */
import { formatSize, plural } from "../../../core-as/host/units.ts";
import type { Difference, SnapshotFacts } from "../../shared/protocol.ts";
import { formatExact, formatOffset, formatShare } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";
import { timeWords } from "../model/words.ts";

const NOTHING = "nothing: all is new";

export function SnapshotDifference({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { opened, repository, difference } = state;
  const shown = opened?.snapshot;
  if (!shown || !repository) return null;
  const others = repository.snapshots.filter(({ id, damage }) => id !== shown.id && damage === undefined);
  return (
    <section data-testid="difference" aria-labelledby="difference-title">
      <h2 id="difference-title">Difference</h2>
      <label class="field">
        Compared with
        <select
          data-testid="against"
          value={difference?.against ?? ""}
          onChange={({ currentTarget: { value } }) => inspector.work.compareWith(value || undefined)}
        >
          <option value="">{NOTHING}</option>
          {others.map((other) => <option key={other.id} value={other.id}>{optionWords(other, shown)}
          </option>)}
        </select>
      </label>
      {difference && <Result difference={difference} inspector={inspector} sizeBytes={shown.sizeBytes} />}
      <Check state={state} inspector={inspector} />
    </section>
  );
}

function optionWords({ id, name, createdMs, tags }: SnapshotFacts, shown: SnapshotFacts): string {
  const disk = name === shown.name ? "" : `${name}, `;
  const marks = tags.length > 0 ? `, ${tags.join(", ")}` : "";
  return `${disk}${timeWords(createdMs)}${marks}, ${id.slice(-8)}`;
}

function Result(
  { difference, inspector, sizeBytes }: {
    difference: Difference;
    inspector: Inspector;
    sizeBytes: number;
  },
) {
  const { against, dataBytes, zeroBytes, runs, runCount, pages, pagesRead } = difference;
  if (against === undefined) return <p class="quiet">There is nothing that it is compared with.</p>;
  if (runCount === 0) return <p>✓ The two snapshots are the same disk.</p>;
  const show = (startBytes: number) => {
    inspector.navigation.goTo(startBytes);
    inspector.navigation.showBytes("disk", startBytes);
  };
  return (
    <>
      <p>
        <strong>{formatSize(dataBytes)}</strong> in changed chunks, <strong>{formatSize(zeroBytes)}</strong>
        {" "}
        zeroed, {formatShare(dataBytes + zeroBytes, sizeBytes)} of the disk.{" "}
        <span class="quiet">
          {pagesRead} of {plural(pages, "page")} of the map differ; the others were not read.
        </span>
      </p>
      <div class="scroll" tabIndex={0} role="group" aria-label="Table of changed chunks">
        <table>
          <caption>{plural(runCount, "stretch", "stretches")} of whole chunks that differ</caption>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">What</th>
              <th scope="col" class="number">Length</th>
            </tr>
          </thead>
          <tbody>
            {runs.map(({ startBytes, lengthBytes, kind }) => (
              <tr key={startBytes}>
                <th scope="row">
                  <button type="button" class="link number" onClick={() => show(startBytes)}>
                    {formatOffset(startBytes)}
                  </button>
                </th>
                <td>{kind === "zero" ? "zeroed" : "new data"}</td>
                <td class="number">{formatExact(lengthBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {runCount > runs.length && <p class="quiet">and {(runCount - runs.length).toLocaleString("en")} more
      </p>}
    </>
  );
}

/** Reading all of it is the only way to know that all of it is sound. */
function Check({ state: { checked, checking }, inspector }: { state: PageState; inspector: Inspector }) {
  return (
    <p class="toolbar" data-testid="check-chunks">
      <button
        type="button"
        onClick={() => checking ? inspector.work.stopCheck() : inspector.work.checkChunks()}
      >
        {checking ? "Stop" : "Check all chunks"}
      </button>
      {checked && (
        <span role="status">
          {checked.doneChunks.toLocaleString("en")} of {plural(checked.totalChunks, "chunk")} read,{" "}
          {checked.damagedChunks === 0 ? "none damaged" : `✗ ${checked.damagedChunks} damaged`}
          {!checked.finished && !checking && " (stopped)"}
        </span>
      )}
      {checking && checked && (
        <progress aria-label="Checked" max={checked.totalChunks} value={checked.doneChunks} />
      )}
    </p>
  );
}
