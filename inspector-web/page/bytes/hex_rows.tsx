/** Rows of bytes; those that a delta changes carry marks that need no colour. */
import { hexOf, linkColour, PALETTES, type ThemeName } from "../../shared/palette.ts";
import { type Answers, type ByteRange, CHANGED, SAME, UNKNOWN_BELOW } from "../../shared/protocol.ts";
import { asciiByte, hexByte, ROW_BYTES } from "./hex_text.ts";

/** What the worker told of a stretch, and where that begins. */
export interface Block {
  readonly offsetBytes: number;
  readonly answer: Answers["bytes"];
}

export interface Look {
  readonly hexOffsetBytes: number;
  readonly found: ByteRange | undefined;
  /** True: below each row with changes stands what it was. */
  readonly withOld: boolean;
  readonly theme: ThemeName;
  readonly select: (offsetBytes: number) => void;
}

/** In front of a row: it changes what lies below; nobody knows; what lies below. */
export const SIGNS = { changed: "≠", unknown: "?", old: "−" } as const;
const HOLE = -2;
const DAMAGED = -3;
/** In the place of a byte that nobody knows. */
const NO_BYTE = "--";

/** Whose a byte of a block is; negative where it is no link's. */
export function ownerAt({ offsetBytes, answer }: Block, at: number): number | undefined {
  return answer.owners?.[Math.floor((offsetBytes + at) / 512) - Math.floor(offsetBytes / 512)];
}

/** True where the file says what cannot be, so that nobody knows the byte. */
export function isDamagedAt(block: Block, at: number): boolean {
  return ownerAt(block, at) === DAMAGED;
}

export function Rows({ block, look }: { block: Block; look: Look }) {
  const count = Math.ceil(block.answer.bytes.length / ROW_BYTES);
  return (
    <>
      {Array.from({ length: count }, (_, row) => (
        <>
          <Row key={row} block={block} look={look} start={row * ROW_BYTES} />
          {look.withOld && <OldRow block={block} start={row * ROW_BYTES} />}
        </>
      ))}
    </>
  );
}

interface RowProps {
  readonly block: Block;
  /** Of the row in the block. */
  readonly start: number;
}

function Row({ block: { offsetBytes, answer }, look, start }: RowProps & { look: Look }) {
  const { bytes, changes } = answer;
  const owner = ownerAt({ offsetBytes, answer }, start);
  const isDamaged = owner === DAMAGED;
  const cells = Array.from({ length: ROW_BYTES }, (_, i) => bytes[start + i]);
  const kinds = changes?.subarray(start, start + ROW_BYTES);
  const tint = owner === undefined || owner < 0
    ? "transparent"
    : hexOf(linkColour(PALETTES[look.theme], owner));
  const classOf = (i: number) => {
    const at = offsetBytes + start + i;
    const { found } = look;
    const isFound = found && at >= found.startBytes && at < found.startBytes + found.lengthBytes;
    return [
      at === look.hexOffsetBytes && "chosen",
      kinds?.[i] === CHANGED && "differs",
      isFound && "found",
      cells[i] === 0 && "null",
    ].filter(Boolean).join(" ");
  };
  const sign = signOf(kinds);
  return (
    <div
      class={owner === HOLE ? "row hole" : isDamaged ? "row damaged" : "row"}
      style={{ borderLeftColor: tint }}
    >
      <span class="offset">{(offsetBytes + start).toString(16).padStart(10, "0")}</span>
      {changes && <span class="sign" aria-hidden="true">{sign}</span>}
      <span class="bytes">
        {cells.map((byte, i) => (
          <span
            key={i}
            class={classOf(i)}
            onClick={() => byte !== undefined && look.select(offsetBytes + start + i)}
          >
            {isDamaged ? NO_BYTE : hexByte(byte)}
            {" "}
          </span>
        ))}
      </span>
      <span class="ascii">{isDamaged ? "✗ damaged" : cells.map(asciiByte).join("")}</span>
      {kinds && sign !== " " && <span class="spoken">{spokenChanges(kinds)}</span>}
    </div>
  );
}

/** What stood where a row changes something; the other bytes are left out. */
function OldRow({ block: { answer }, start }: RowProps) {
  const { below, changes } = answer;
  if (!below || !changes?.subarray(start, start + ROW_BYTES).includes(CHANGED)) return null;
  const old = Array.from(
    { length: ROW_BYTES },
    (_, i) => changes[start + i] === CHANGED ? below[start + i] : undefined,
  );
  return (
    <div class="row old">
      <span class="offset">
        <span class="spoken">what lies below</span>
        {" ".repeat(10)}
      </span>
      <span class="sign" aria-hidden="true">{SIGNS.old}</span>
      <span class="bytes">{old.map((byte) => `${hexByte(byte)} `).join("")}</span>
      <span class="ascii">{old.map(asciiByte).join("")}</span>
    </div>
  );
}

function signOf(kinds: Uint8Array | undefined): string {
  if (kinds?.includes(CHANGED)) return SIGNS.changed;
  return kinds?.includes(UNKNOWN_BELOW) ? SIGNS.unknown : " ";
}

/** `changed: bytes 3, 4, 9 of the row`, for those who hear the row. */
function spokenChanges(kinds: Uint8Array): string {
  const changed = [...kinds].flatMap((kind, i) => kind === CHANGED ? [i] : []);
  if (changed.length === kinds.length) return ", all changed";
  if (changed.length > 0) return `, changed: bytes ${changed.join(", ")} of the row`;
  return kinds.every((kind) => kind === SAME) ? "" : ", what lies below is not known";
}
