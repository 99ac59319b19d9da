/**
 * Bytes of the disk or of a file. The page scrolls on its own, since a browser's scroll height ends at 27 MB of
 * rows: the position is a byte offset, and as many rows as fit are asked for.
 */
import { useEffect, useState } from "preact/hooks";
import type { ThemeName } from "../../shared/palette.ts";
import { formatOffset } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";
import { Find } from "./find.tsx";
import { Goto } from "./goto.tsx";
import { ChangeLegend, CursorWords, PartOfFile, Readings, Scrollbar } from "./hex_parts.tsx";
import { Rows } from "./hex_rows.tsx";
import { ROW_BYTES } from "./hex_text.ts";
import { type Refused, rowOf, SHOWN_BYTES, useBlock } from "./use_block.ts";

interface Props {
  readonly state: PageState;
  readonly inspector: Inspector;
  readonly theme: ThemeName;
}

export function HexView({ state, inspector, theme }: Props) {
  const { hexSource, hexOffsetBytes } = state;
  const sizeBytes = sizeOf(state);
  const [top, setTop] = useState(rowOf(hexOffsetBytes));
  const [withOld, setWithOld] = useState(false);
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
  const { shown, refused } = useBlock({ state, inspector, top, sizeBytes });
  const isReadable = shown !== undefined && refused === undefined;
  const onKey = (event: KeyboardEvent) => {
    const step = stepOf(event);
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    select(hexOffsetBytes + step);
  };
  return (
    <section aria-labelledby="hex-title">
      <h2 id="hex-title">Bytes</h2>
      <Goto state={state} inspector={inspector} select={select} />
      <Find state={state} inspector={inspector} />
      {shown && (
        <ChangeLegend
          answer={shown.answer}
          state={state}
          withOld={withOld}
          setWithOld={setWithOld}
        />
      )}
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
          {refused
            ? <Unreadable refused={refused} />
            : shown && (
              <Rows block={shown} look={{ hexOffsetBytes, found: foundIn(state), withOld, theme, select }} />
            )}
        </div>
        <Scrollbar top={top} last={last} scroll={scroll} />
      </div>
      {isReadable && <CursorWords block={shown} state={state} />}
      {hexSource !== "disk" && <PartOfFile file={hexSource.file} state={state} inspector={inspector} />}
      {isReadable && <Readings block={shown} at={hexOffsetBytes - shown.offsetBytes} />}
    </section>
  );
}

/** In the place of the bytes: those that stood there before would be taken for them. */
function Unreadable({ refused: { offsetBytes, lengthBytes, code, message } }: { refused: Refused }) {
  return (
    <div class="unreadable" role="alert" data-testid="unreadable">
      <p>
        <strong>✗ These bytes cannot be read</strong>, {formatOffset(offsetBytes)} to{" "}
        {formatOffset(offsetBytes + lengthBytes)}.
      </p>
      <p>
        <code>{code}</code> {message}
      </p>
    </div>
  );
}

function sizeOf({ opened, hexSource }: PageState): number {
  if (!opened) return 0;
  if (hexSource === "disk") return opened.capacitySectors * 512;
  const files = opened.links.flatMap((link) => link.files);
  return files.find(({ name }) => name === hexSource.file)?.sizeBytes ?? 0;
}

/** How far a key moves the cursor. */
function stepOf(event: KeyboardEvent): number | undefined {
  if (event.ctrlKey || event.altKey || event.metaKey) return undefined;
  return ({
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -ROW_BYTES,
    ArrowDown: ROW_BYTES,
    PageUp: -SHOWN_BYTES,
    PageDown: SHOWN_BYTES,
  } as Readonly<Record<string, number>>)[event.key];
}

/** What was found last, while the disk is shown that it was found in. */
function foundIn({ found, hexSource }: PageState) {
  return hexSource === "disk" ? found : undefined;
}
