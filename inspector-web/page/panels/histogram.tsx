/** How long the runs are: few long ones apply fast, many short ones do not. */
import { formatCount, formatSize } from "../../../core-as/host/units.ts";
import type { PageState } from "../model/store.ts";

export function RunLengths({ state }: { state: PageState }) {
  const histogram = state.scan?.histogram;
  const damagedBytes = state.scan?.totals.damagedBytes ?? 0;
  if (!histogram || (!histogram.counts.some((count) => count > 0) && damagedBytes === 0)) return null;
  const most = Math.max(...histogram.bytes);
  return (
    <section data-testid="histogram" aria-labelledby="histogram-title">
      <h2 id="histogram-title">Run lengths</h2>
      <table>
        <caption>Runs of data and zeros by length; bars show bytes</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col" class="number">Runs</th>
            <th scope="col" class="number">Bytes</th>
            <th scope="col">Share</th>
          </tr>
        </thead>
        <tbody>
          {histogram.counts.map((count, i) =>
            count > 0 && (
              <tr key={i}>
                <th scope="row">{formatSize(512 * 2 ** i)}</th>
                <td class="number">{formatCount(count)}</td>
                <td class="number">{formatSize(histogram.bytes[i] ?? 0)}</td>
                <td class="bar">
                  <div aria-hidden="true" style={{ width: `${(histogram.bytes[i] ?? 0) / most * 100}%` }} />
                </td>
              </tr>
            )
          )}
        </tbody>
      </table>
      {damagedBytes > 0 && (
        <p class="remark">
          ✗ {formatSize(damagedBytes)} are damaged and in no row: nobody knows what is there.
        </p>
      )}
    </section>
  );
}
