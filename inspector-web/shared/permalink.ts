/**
 * The view as the part of the address behind `#`, and back: `#view=map&o=0x100000&z=128&curve=h&of=merged`.
 *
 * Where one looks is kept, and by which name, size and content id the file was known, so that a link opened over
 * another file can say so; never anything that a file holds.
 *
 * This module is browser compatible.
 */
import { MAX_DISK_SECTORS } from "../../core-as/host/units.ts";
import type { CurveName } from "./curve.ts";
import type { View } from "./protocol.ts";

export const TABS = ["map", "hex", "structure", "chain"] as const;
export type Tab = typeof TABS[number];

/** By what a file is known again. */
export interface Known {
  readonly name: string;
  readonly sizeBytes: number;
  readonly cid: string | undefined;
}

/** What a link says; what it does not say is absent. */
export interface Place {
  readonly tab: Tab;
  /** Byte of the disk that is looked at: the first of the map, or of the hex view. */
  readonly offsetBytes: number;
  readonly sectorsPerCell: number;
  readonly curve: CurveName;
  readonly view: View;
  readonly known: Known;
}

const MAX_LINKS = 64;

/** The part of the address behind `#`, without it. */
export function writePlace(place: Partial<Place>): string {
  const fields: [string, string][] = [];
  if (place.tab !== undefined) fields.push(["view", place.tab]);
  if (place.offsetBytes !== undefined) fields.push(["o", `0x${place.offsetBytes.toString(16)}`]);
  if (place.sectorsPerCell !== undefined) fields.push(["z", String(place.sectorsPerCell)]);
  if (place.curve !== undefined) fields.push(["curve", place.curve === "hilbert" ? "h" : "r"]);
  if (place.view !== undefined) fields.push(["of", String(place.view)]);
  if (place.known !== undefined) {
    fields.push(["name", place.known.name], ["size", String(place.known.sizeBytes)]);
    if (place.known.cid !== undefined) fields.push(["cid", place.known.cid]);
  }
  return fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}

/** Reads what {@link writePlace} wrote; what does not make sense is left out, since anybody can write a link. */
export function readPlace(hash: string): Partial<Place> {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const tab = TABS.find((known) => known === fields.get("view"));
  const offsetBytes = whole(fields.get("o"), MAX_DISK_SECTORS * 512);
  const sectorsPerCell = whole(fields.get("z"), MAX_DISK_SECTORS);
  const curve = ({ h: "hilbert", r: "rows" } as const)[fields.get("curve") ?? ""];
  const of = fields.get("of");
  const view = of === "merged" || of === "deltas" ? of : whole(of, MAX_LINKS - 1);
  const known = readKnown(fields);
  return {
    ...(tab !== undefined && { tab }),
    ...(offsetBytes !== undefined && { offsetBytes }),
    ...(sectorsPerCell !== undefined && sectorsPerCell > 0 && { sectorsPerCell }),
    ...(curve !== undefined && { curve }),
    ...(view !== undefined && { view }),
    ...(known !== undefined && { known }),
  };
}

/** Why a link was made for another file, in words; `undefined` when it may be the same. */
export function difference(linked: Known, opened: Known): string | undefined {
  if (linked.name !== opened.name) return `the link was made for ${linked.name}, this is ${opened.name}`;
  if (linked.cid !== undefined && opened.cid !== undefined && linked.cid !== opened.cid) {
    return `the link was made for content id ${linked.cid}, this file has ${opened.cid}`;
  }
  if (linked.sizeBytes !== opened.sizeBytes) {
    return `the link was made for a file of ${linked.sizeBytes} bytes, this one has ${opened.sizeBytes}`;
  }
  return undefined;
}

function readKnown(fields: URLSearchParams): Known | undefined {
  const name = fields.get("name");
  const sizeBytes = whole(fields.get("size"), Number.MAX_SAFE_INTEGER);
  if (!name || sizeBytes === undefined) return undefined;
  return { name, sizeBytes, cid: fields.get("cid") ?? undefined };
}

/** A whole number from 0 to `most`, written in tens or as `0x…`. */
function whole(text: string | null, most: number): number | undefined {
  if (text === null || !/^(0x[0-9a-f]{1,14}|\d{1,16})$/i.test(text)) return undefined;
  const value = Number(text);
  return value <= most ? value : undefined;
}
