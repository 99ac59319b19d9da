/**
 * What an undo file says of itself, as a snapshot name: the one free field that every reader of rbd-diff accepts.
 *
 * The name has one length, so that it can be replaced in place, and the header with it lies within the first sector
 * of the file: a power loss leaves the old one or the new one.
 */
import { type LinkIdentity, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import type { GuardedOperation } from "./spoken.ts";

/**
 * How far an apply and its undo file are.
 *
 * `prepared`: of the target nothing was changed but, perhaps, the marks. `writing`: the marks are durable in the
 * target. `applied`: the apply is whole. `returning`: it is being taken back. `returned`: it was.
 */
export type UndoState = "prepared" | "writing" | "applied" | "returning" | "returned";

/** A sector of the disk with its hash. */
export interface PlacedHash {
  readonly offsetBytes: number;
  /** 8 hexadecimal digits. */
  readonly hash: string;
}

export interface UndoIds {
  /** 1: made by a version that knew neither states nor marks. */
  readonly version: 1 | 2;
  readonly state: UndoState;
  /** What wrote to the target. */
  readonly operation: GuardedOperation;
  /** Fingerprint of the plan that it undoes, 16 hexadecimal digits. */
  readonly plan: string;
  /** What this undo file is known by, 8 hexadecimal digits; empty in version 1. */
  readonly id: string;
  /** Stretches come in the order of the disk, so that an interrupted run can be continued. */
  readonly isOrdered: boolean;
  /** Blocks that the plan leaves alone, and their hash: they tell the target. */
  readonly blocks: readonly number[];
  readonly blocksHash: string;
  /**
   * Sectors that the apply changes, and what it writes there. They are written before anything else and taken back
   * after everything else, so that a target without them is not the one in question.
   */
  readonly marks: readonly PlacedHash[];
  /** Sectors of the plan, and what they held before: while no record has them, they must hold it. */
  readonly ahead: readonly PlacedHash[];
  /** Content ids that a VMDK target had before. */
  readonly base?: { readonly cid: number; readonly longContentId: string | undefined } | undefined;
}

/** Most that there is room for in a name. */
export const MAX_NAMED = { blocks: 6, marks: 5, ahead: 4 } as const;
/** Size of the blocks that are left alone. */
export const UNTOUCHED_BLOCK_BYTES = 4096;

const PREFIX = "regrain-undo2-";
const LETTERS = {
  prepared: "p",
  writing: "w",
  applied: "a",
  returning: "r",
  returned: "t",
} as const satisfies Record<UndoState, string>;
const FLAG = { ordered: 1, cid: 2, longContentId: 4, restore: 8, sync: 16 } as const;
const PLACE_BYTES = 6;
const HASH_BYTES = 4;
const FIXED_BYTES = 44;
const PAYLOAD_BYTES = FIXED_BYTES + MAX_NAMED.blocks * PLACE_BYTES +
  (MAX_NAMED.marks + MAX_NAMED.ahead) * (PLACE_BYTES + HASH_BYTES);

/** A fresh id. */
export function randomUndoId(): string {
  return hexOf(crypto.getRandomValues(new Uint8Array(4)));
}

/** Writes the ids of version 2 as a snapshot name; it stays below 255 characters. */
export function undoName(ids: Omit<UndoIds, "version">): string {
  const payload = new Uint8Array(PAYLOAD_BYTES);
  const view = new DataView(payload.buffer);
  const { base } = ids;
  payload.set(bytesOf(ids.plan), 0);
  payload.set(bytesOf(ids.id), 8);
  payload[12] = (ids.isOrdered ? FLAG.ordered : 0) + (base ? FLAG.cid : 0) +
    (base?.longContentId === undefined ? 0 : FLAG.longContentId) +
    (ids.operation === "apply" ? 0 : FLAG[ids.operation]);
  view.setUint32(13, base?.cid ?? 0);
  if (base?.longContentId !== undefined) payload.set(bytesOf(base.longContentId), 17);
  payload.set(bytesOf(ids.blocksHash), 33);
  payload.set([ids.blocks.length, ids.marks.length, ids.ahead.length], 41);
  let at = FIXED_BYTES;
  for (const block of ids.blocks) at = putPlace(view, at, block);
  at = FIXED_BYTES + MAX_NAMED.blocks * PLACE_BYTES;
  for (const { offsetBytes, hash } of [...ids.marks, ...ids.ahead]) {
    at = putPlace(view, at, offsetBytes / SECTOR_SIZE);
    payload.set(bytesOf(hash), at);
    at += HASH_BYTES;
  }
  return `${PREFIX}${LETTERS[ids.state]}-${textOf(payload)}`;
}

function operationOf(flags: number): GuardedOperation {
  if ((flags & FLAG.restore) !== 0) return "restore";
  return (flags & FLAG.sync) === 0 ? "apply" : "sync";
}

/** Reads the ids of an undo file; `undefined` when the name is that of another kind of rbd-diff. */
export function parseUndoName(name: string | undefined): UndoIds | undefined {
  const match = NAME_PATTERN.exec(name ?? "");
  if (!match) return parseFirstVersion(name ?? "");
  const state = (Object.keys(LETTERS) as UndoState[]).find((each) => LETTERS[each] === match[1]);
  const payload = payloadOf(match[2]!);
  if (state === undefined || payload === undefined) return undefined;
  const view = new DataView(payload.buffer);
  const [blockCount, markCount, aheadCount] = payload.subarray(41, FIXED_BYTES) as unknown as number[];
  if (blockCount! > MAX_NAMED.blocks || markCount! > MAX_NAMED.marks || aheadCount! > MAX_NAMED.ahead) {
    return undefined;
  }
  const hashesAt = FIXED_BYTES + MAX_NAMED.blocks * PLACE_BYTES;
  const placed = (from: number, count: number) => {
    const step = PLACE_BYTES + HASH_BYTES;
    return Array.from({ length: count }, (_, i): PlacedHash => {
      const at = hashesAt + (from + i) * step;
      return {
        offsetBytes: placeAt(view, at) * SECTOR_SIZE,
        hash: hexOf(payload.subarray(at + PLACE_BYTES, at + step)),
      };
    });
  };
  return {
    version: 2,
    state,
    operation: operationOf(payload[12]!),
    plan: hexOf(payload.subarray(0, 8)),
    id: hexOf(payload.subarray(8, 12)),
    isOrdered: (payload[12]! & FLAG.ordered) !== 0,
    blocks: Array.from({ length: blockCount! }, (_, i) => placeAt(view, FIXED_BYTES + i * PLACE_BYTES)),
    blocksHash: hexOf(payload.subarray(33, 41)),
    marks: placed(0, markCount!),
    ahead: placed(markCount!, aheadCount!),
    base: (payload[12]! & FLAG.cid) === 0 ? undefined : {
      cid: view.getUint32(13),
      longContentId: (payload[12]! & FLAG.longContentId) === 0 ? undefined : hexOf(payload.subarray(17, 33)),
    },
  };
}

const NAME_PATTERN = new RegExp(`^${PREFIX}([a-z])-([\\w-]+)$`);
const FIRST_PATTERN =
  /^regrain-undo-([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-f.]*)(?:-([0-9a-f]{8}))?(?:-([0-9a-f]{32}))?$/;

/** Names as the first version wrote them. */
function parseFirstVersion(name: string): UndoIds | undefined {
  const match = FIRST_PATTERN.exec(name);
  if (!match) return undefined;
  const [, plan, blocksHash, places, cid, longContentId] = match;
  return {
    version: 1,
    state: "writing",
    operation: "apply",
    plan: plan!,
    id: "",
    isOrdered: true,
    blocksHash: blocksHash!,
    blocks: places === "" ? [] : places!.split(".").map((place) => parseInt(place, 16)),
    marks: [],
    ahead: [],
    base: cid === undefined ? undefined : { cid: parseInt(cid, 16), longContentId },
  };
}

/** The ids of a VMDK target, to be given back; a longContentId that is none is left out. */
export function baseIds(base: LinkIdentity | undefined): UndoIds["base"] {
  const cid = base?.identity?.own.cid;
  if (cid === undefined) return undefined;
  const longContentId = base?.identity?.own.longContentId?.toLowerCase();
  return { cid, longContentId: /^[0-9a-f]{32}$/.test(longContentId ?? "") ? longContentId : undefined };
}

function putPlace(view: DataView, at: number, place: number): number {
  view.setUint16(at, Math.floor(place / 2 ** 32));
  view.setUint32(at + 2, place % 2 ** 32);
  return at + PLACE_BYTES;
}

function placeAt(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** base64 for URLs: no character of it means anything in the name of a snapshot. */
function textOf(payload: Uint8Array): string {
  return btoa(String.fromCharCode(...payload)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function payloadOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length !== Math.ceil(PAYLOAD_BYTES * 4 / 3)) return undefined;
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
