/** What stands around the rows of bytes: the scrollbar, the legend, the cursor in words, the bytes as numbers. */
import { useEffect, useRef } from "preact/hooks";
import { type Answers, CHANGED, UNKNOWN_BELOW } from "../../shared/protocol.ts";
import { formatOffset } from "../../shared/units.ts";
import { type Block, isDamagedAt, SIGNS } from "./hex_rows.tsx";
import { hexByte, inspect } from "./hex_text.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";
import { pathTo, pathWords } from "../model/structure_path.ts";
import { isDelta } from "../model/words.ts";

const LOCATE_AFTER_MS = 150;

export function Scrollbar(
  { top, last, scroll }: { top: number; last: number; scroll: (offsetBytes: number) => void },
) {
  const bar = useRef<HTMLDivElement>(null);
  const drag = (event: PointerEvent) => {
    const height = bar.current?.clientHeight ?? 1;
    scroll(Math.min(1, Math.max(0, event.offsetY / height)) * last);
  };
  return (
    <div
      ref={bar}
      class="scrollbar"
      aria-hidden="true"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        drag(event);
      }}
      onPointerMove={(event) => event.buttons & 1 && drag(event)}
    >
      <div style={{ top: `${last === 0 ? 0 : top / last * 94}%` }} />
    </div>
  );
}

/** What the marks mean; where nothing lies below, why there are none. */
export function ChangeLegend(
  { answer, state, withOld, setWithOld }: {
    answer: Answers["bytes"];
    state: PageState;
    withOld: boolean;
    setWithOld: (withOld: boolean) => void;
  },
) {
  const { hexSource, opened, view } = state;
  if (hexSource !== "disk" || !opened) return null;
  if (!answer.changes) {
    if (!isDelta(opened, view)) return null;
    return <p class="legend quiet">Add the base to see which bytes the delta changes.</p>;
  }
  const count = answer.changes.reduce((sum, change) => sum + (change === CHANGED ? 1 : 0), 0);
  return (
    <p class="legend" data-testid="hex-legend">
      <span>
        <b class="differs">{SIGNS.changed} 7f</b> changed: below it stands another byte
      </span>
      {answer.changes.includes(UNKNOWN_BELOW) && <span>{SIGNS.unknown} what lies below was not given</span>}
      <span class="quiet">{count} of {answer.changes.length} bytes shown are changed</span>
      <label>
        <input
          type="checkbox"
          data-testid="hex-old"
          checked={withOld}
          onChange={({ currentTarget }) => setWithOld(currentTarget.checked)}
        />{" "}
        show what lies below
      </label>
    </p>
  );
}

/** The byte under the cursor in a sentence, read aloud when it moves. */
export function CursorWords({ block, state }: { block: Block; state: PageState }) {
  const at = state.hexOffsetBytes - block.offsetBytes;
  const { bytes, below, changes } = block.answer;
  if (at < 0 || at >= bytes.length) return null;
  if (isDamagedAt(block, at)) {
    return (
      <p class="cursor-words" data-testid="hex-live" aria-live="polite">
        {formatOffset(state.hexOffsetBytes)}: damaged, nobody knows what is here
      </p>
    );
  }
  const old = below && changes?.[at] === CHANGED ? `, changed: ${hexByte(below[at])} below it` : "";
  const unknown = changes?.[at] === UNKNOWN_BELOW ? ", what lies below was not given" : "";
  return (
    <p class="cursor-words" data-testid="hex-live" aria-live="polite">
      {formatOffset(state.hexOffsetBytes)}: {hexByte(bytes[at])}
      {old}
      {unknown}
    </p>
  );
}

/** The part of the file that the byte under the cursor belongs to, by name. */
export function PartOfFile(
  { file, state, inspector }: { file: string; state: PageState; inspector: Inspector },
) {
  const { structure, structureFile, hexOffsetBytes } = state;
  useEffect(() => {
    const timer = setTimeout(() => inspector.structure.locate(file, hexOffsetBytes), LOCATE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [file, hexOffsetBytes]);
  const path = structureFile === file && structure ? pathTo(structure, hexOffsetBytes) : [];
  const words = pathWords(path);
  return (
    <p class="part" data-testid="hex-part" aria-live="polite">
      {words === ""
        ? <span class="quiet">in no header, directory or table</span>
        : (
          <button type="button" class="link" onClick={() => inspector.navigation.showTab("structure")}>
            {words}
          </button>
        )}
    </p>
  );
}

export function Readings({ block, at }: { block: Block; at: number }) {
  const { bytes } = block.answer;
  if (at < 0 || at >= bytes.length || isDamagedAt(block, at)) return null;
  return (
    <table class="readings">
      <caption>The bytes at the cursor as numbers</caption>
      <thead>
        <tr>
          <th scope="col">Type</th>
          <th scope="col" class="number">Little-endian</th>
          <th scope="col" class="number">Big-endian</th>
        </tr>
      </thead>
      <tbody>
        {inspect(bytes, at).map(([name, little, big]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="number">{little}</td>
            <td class="number">{big}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
