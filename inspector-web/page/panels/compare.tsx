/** What of the deltas really differs from the base, measured on demand. */
import type { ByteRange, Compared, Comparisons, Opened } from "../../shared/protocol.ts";
import { formatExact, formatOffset, formatShare } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";

export function Compare({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { opened, compared } = state;
  if (!opened || opened.links.length < 2 || opened.mapOnly) return null;
  return (
    <section data-testid="compare" aria-labelledby="compare-title">
      <h2 id="compare-title">Compare with the {opened.isWhole ? "base" : "parent"}</h2>
      <p>
        <button type="button" onClick={() => inspector.work.compare()}>
          {compared ? "Compare again" : `Compare ${whatIsCompared(opened)}`}
        </button>
      </p>
      {compared && <Result compared={compared} />}
      {compared && LISTS.map(([kind, words]) => (
        <Ranges
          key={kind}
          words={words}
          ranges={compared.first[kind]}
          show={(startBytes) => {
            inspector.navigation.goTo(startBytes);
            inspector.navigation.showBytes("disk", startBytes);
          }}
        />
      ))}
    </section>
  );
}

function whatIsCompared({ links, isWhole }: Opened): string {
  const deltas = links.filter(({ isBase }) => !isBase);
  return isWhole && deltas.length > 1 ? "all deltas merged" : deltas[0]?.name ?? "";
}

const LISTS: readonly (readonly [Comparisons, string])[] = [
  ["changed", "First stretches that differ"],
  ["identical", "First that are allocated but identical"],
  ["zero", "First that are allocated but all zero"],
];

/** Stretches of one kind, each a way to its bytes. */
function Ranges(
  { words, ranges, show }: {
    words: string;
    ranges: readonly ByteRange[];
    show: (startBytes: number) => void;
  },
) {
  if (ranges.length === 0) return null;
  return (
    <details class="ranges">
      <summary>{words} ({ranges.length})</summary>
      <ul>
        {ranges.map(({ startBytes, lengthBytes }) => (
          <li key={startBytes}>
            <button type="button" class="link number" onClick={() => show(startBytes)}>
              {formatOffset(startBytes)}
            </button>{" "}
            {formatExact(lengthBytes)}
          </li>
        ))}
      </ul>
    </details>
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
