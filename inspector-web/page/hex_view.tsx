/**
 * Bytes of the disk or of a file. The page scrolls on its own, since a browser's scroll height ends at 27 MB of
 * rows: the position is a byte offset, and as many rows as fit are asked for.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { hexOf, linkColour, PALETTES, type ThemeName } from "../shared/palette.ts";
import type { Answers } from "../shared/protocol.ts";
import { findPlace, formatOffset, PLACE_FORMS } from "../shared/units.ts";
import { asciiByte, hexByte, inspect, ROW_BYTES } from "./hex_text.ts";
import type { Inspector } from "./inspector.ts";
import type { HexSource, PageState } from "./store.ts";

interface Props {
  readonly state: PageState;
  readonly inspector: Inspector;
  readonly theme: ThemeName;
}

const ROWS = 32;
const SHOWN_BYTES = ROWS * ROW_BYTES;

export function HexView({ state, inspector, theme }: Props) {
  const { opened, hexSource, hexOffsetBytes } = state;
  const sizeBytes = sizeOf(state);
  const [top, setTop] = useState(rowOf(hexOffsetBytes));
  const [shown, setShown] = useState<{ offsetBytes: number; answer: Answers["bytes"] }>();
  const last = Math.max(0, rowOf(sizeBytes - 1) - SHOWN_BYTES + ROW_BYTES);
  const scroll = (offsetBytes: number) => setTop(rowOf(Math.min(last, Math.max(0, offsetBytes))));
  const select = (offsetBytes: number) => {
    const at = Math.min(sizeBytes - 1, Math.max(0, offsetBytes));
    inspector.store.set({
      hexOffsetBytes: at,
      ...(hexSource === "disk" && { cursorSector: Math.floor(at / 512) }),
    });
  };
  useEffect(() => {
    if (hexOffsetBytes < top || hexOffsetBytes >= top + SHOWN_BYTES) scroll(hexOffsetBytes);
  }, [hexOffsetBytes, hexSource]);
  const source = JSON.stringify(hexSource);
  useEffect(() => {
    let isCurrent = true;
    const lengthBytes = Math.min(SHOWN_BYTES, sizeBytes - top);
    if (lengthBytes <= 0) return;
    const of = hexSource === "disk" ? { view: state.view } : hexSource;
    inspector.client.ask({ type: "bytes", of, offsetBytes: top, lengthBytes }).then(
      (answer) => isCurrent && setShown({ offsetBytes: top, answer }),
      (error) => isCurrent && inspector.fail(error),
    );
    return () => {
      isCurrent = false;
    };
  }, [top, source, state.view, opened]);
  const onKey = (event: KeyboardEvent) => {
    const step = ({
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -ROW_BYTES,
      ArrowDown: ROW_BYTES,
      PageUp: -SHOWN_BYTES,
      PageDown: SHOWN_BYTES,
    } as Readonly<Record<string, number>>)[event.key];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    select(hexOffsetBytes + step);
  };
  return (
    <section aria-labelledby="hex-title">
      <h2 id="hex-title">Bytes</h2>
      <Goto state={state} inspector={inspector} select={select} />
      <div class="hex-frame">
        <div
          class="hex"
          data-testid="hex"
          tabIndex={0}
          role="group"
          aria-label="Bytes. Arrows move, Page Up and Page Down scroll."
          onKeyDown={onKey}
          onWheel={(event) => {
            event.preventDefault();
            scroll(top + Math.sign(event.deltaY) * 4 * ROW_BYTES);
          }}
        >
          {shown && rowsOf(shown, { hexOffsetBytes, theme, select })}
        </div>
        <Scrollbar top={top} last={last} scroll={scroll} />
      </div>
      {shown && <Readings bytes={shown.answer.bytes} at={hexOffsetBytes - shown.offsetBytes} />}
    </section>
  );
}

function sizeOf({ opened, hexSource }: PageState): number {
  if (!opened) return 0;
  if (hexSource === "disk") return opened.capacitySectors * 512;
  const files = opened.links.flatMap((link) => link.files);
  return files.find(({ name }) => name === hexSource.file)?.sizeBytes ?? 0;
}

function rowOf(offsetBytes: number): number {
  return Math.max(0, Math.floor(offsetBytes / ROW_BYTES) * ROW_BYTES);
}

interface Look {
  readonly hexOffsetBytes: number;
  readonly theme: ThemeName;
  readonly select: (offsetBytes: number) => void;
}

function rowsOf({ offsetBytes, answer }: { offsetBytes: number; answer: Answers["bytes"] }, look: Look) {
  const { bytes, owners } = answer;
  const count = Math.ceil(bytes.length / ROW_BYTES);
  return Array.from({ length: count }, (_, row) => {
    const start = row * ROW_BYTES;
    const owner = owners?.[Math.floor((offsetBytes + start) / 512) - Math.floor(offsetBytes / 512)];
    const cells = Array.from({ length: ROW_BYTES }, (_, i) => bytes[start + i]);
    const chosen = look.hexOffsetBytes - offsetBytes - start;
    const tint = owner === undefined || owner < 0
      ? "transparent"
      : hexOf(linkColour(PALETTES[look.theme], owner));
    return (
      <div key={row} class={owner === -2 ? "row hole" : "row"} style={{ borderLeftColor: tint }}>
        <span class="offset">{(offsetBytes + start).toString(16).padStart(10, "0")}</span>
        <span class="bytes">
          {cells.map((byte, i) => (
            <span
              key={i}
              class={i === chosen ? "chosen" : byte === 0 ? "null" : undefined}
              onClick={() => byte !== undefined && look.select(offsetBytes + start + i)}
            >
              {hexByte(byte)}
              {" "}
            </span>
          ))}
        </span>
        <span class="ascii">{cells.map(asciiByte).join("")}</span>
      </div>
    );
  });
}

function Scrollbar(
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

function Goto(
  { state, inspector, select }: Omit<Props, "theme"> & { select: (offsetBytes: number) => void },
) {
  const [text, setText] = useState("");
  const [reason, setReason] = useState("");
  const files = [...new Set(state.opened?.links.flatMap((link) => link.files.map(({ name }) => name)))];
  const go = (event: Event) => {
    event.preventDefault();
    const isDisk = state.hexSource === "disk";
    const marks = inspector.landmarks();
    const found = findPlace(
      text,
      isDisk ? marks : { ...marks, capacityBytes: sizeOf(state), partitions: [] },
    );
    setReason("reason" in found ? found.reason : "");
    if ("offsetBytes" in found) select(found.offsetBytes);
  };
  const choose = (value: string) => {
    const source: HexSource = value === "" ? "disk" : { file: value };
    inspector.store.set({ hexSource: source, hexOffsetBytes: 0 });
  };
  return (
    <form class="toolbar" onSubmit={go}>
      <label>
        Show{" "}
        <select
          value={state.hexSource === "disk" ? "" : state.hexSource.file}
          onChange={({ currentTarget }) => choose(currentTarget.value)}
        >
          <option value="">the virtual disk</option>
          {files.map((name) => <option key={name} value={name}>file {name}</option>)}
        </select>
      </label>
      <label>
        Go to{" "}
        <input
          id="goto"
          data-testid="hex-goto"
          value={text}
          placeholder={PLACE_FORMS}
          spellcheck={false}
          aria-describedby="goto-reason"
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </label>
      <button type="submit">Go</button>
      <span class="quiet">at {formatOffset(state.hexOffsetBytes)}</span>
      <span id="goto-reason" class="remark" role="status">{reason}</span>
    </form>
  );
}

function Readings({ bytes, at }: { bytes: Uint8Array; at: number }) {
  if (at < 0 || at >= bytes.length) return null;
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
