/** What of a delta is really different from what lies below it, measured on demand. */
import type { Compared } from "../shared/protocol.ts";
import { formatExact, formatShare } from "../shared/units.ts";
import type { Inspector } from "./inspector.ts";
import type { PageState } from "./store.ts";

export function Compare({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { opened, compared } = state;
  if (!opened || opened.links.length < 2 || opened.mapOnly) return null;
  return (
    <section data-testid="compare" aria-labelledby="compare-title">
      <h2 id="compare-title">Compare with what lies below</h2>
      <p>
        <button type="button" onClick={() => inspector.compare()}>
          {compared ? "Compare again" : `Compare ${opened.links[0]?.name}`}
        </button>
      </p>
      {compared && <Result compared={compared} />}
    </section>
  );
}

function Result({ compared }: { compared: Compared }) {
  const rows: readonly (readonly [string, number])[] = [
    ["Really changed", compared.changedBytes],
    ["Allocated but identical", compared.identicalBytes],
    ["Allocated but all zero", compared.zeroBytes],
    ["Compared", compared.comparedBytes],
  ];
  return (
    <table>
      <caption>{compared.finished ? "All compared" : "Comparing…"}</caption>
      <tbody>
        {rows.map(([name, bytes]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="number">{formatExact(bytes)}</td>
            <td class="number">{formatShare(bytes, compared.comparedBytes)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
