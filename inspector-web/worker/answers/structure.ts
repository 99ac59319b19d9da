/** A file as a tree of its parts, each with the bytes that it stands in. */
import {
  descriptorOf,
  type Extent,
  formatSize,
  type HeaderField,
  type HeaderShape,
  type Link,
  MAX_DESCRIPTOR_BYTES,
  plural,
  readBytes,
  RegrainError,
  SECTOR_SIZE,
  type Source,
} from "../../../core-as/host/mod.ts";
import type { StructureNode } from "../../shared/protocol.ts";
import { type Geometry, geometryOf } from "../disk/geometry.ts";
import type { OpenFiles } from "../sources/given.ts";

/** Tables shown, and entries of each; the rest is counted. */
const MAX_SHOWN = 64;
/** Directory entries looked at for tables that are there. */
const MAX_LOOKED_AT = 1 << 20;
/** Lines of a descriptor shown. */
const MAX_LINES = 1000;

/** A node, and what is common to all of one file. */
class Builder {
  /** @param around A byte of the file whose entry is shown whatever its number. */
  constructor(readonly file: Source, private readonly around: number | undefined) {}

  /** True when the byte that is looked at lies in a stretch. */
  isAround({ offsetBytes, lengthBytes }: { offsetBytes: number; lengthBytes: number }): boolean {
    const { around } = this;
    return around !== undefined && around >= offsetBytes && around < offsetBytes + lengthBytes;
  }

  node(
    label: string,
    value: string,
    at: { readonly offsetBytes: number; readonly lengthBytes: number },
    children: readonly StructureNode[] = [],
  ): StructureNode {
    return { label, value, file: this.file.path, ...at, children };
  }

  /** Bytes of the file, as many of them as there are. */
  async bytes(offsetBytes: number, lengthBytes: number): Promise<DataView> {
    const from = Math.min(offsetBytes, this.file.sizeBytes);
    const bytes = await readBytes(this.file, from, Math.min(lengthBytes, this.file.sizeBytes - from));
    return new DataView(bytes.buffer);
  }
}

/** @throws {RegrainError} `NOT_FOUND` when the file is not part of what is open. */
export async function structureOf(
  { name, around }: { readonly name: string; readonly around: number | undefined },
  links: readonly Link[],
  files: OpenFiles,
): Promise<StructureNode> {
  const builder = new Builder(files.open(name), around);
  const whole = { offsetBytes: 0, lengthBytes: builder.file.sizeBytes };
  const extent = links.flatMap(({ extents }) => extents).find((placed) => placed.extent.path === name)
    ?.extent;
  if (extent?.file) {
    return builder.node(name, extent.formatName, whole, await partsOf(builder, extent));
  }
  if (links.some((link) => link.path === name && descriptorOf(link))) {
    return builder.node(name, "descriptor", whole, await linesOf(builder, whole));
  }
  throw new RegrainError("NOT_FOUND", "this file is not part of the disk that is open", { path: name });
}

async function partsOf(builder: Builder, extent: Extent): Promise<StructureNode[]> {
  const { format, facts, regions, file, header } = extent;
  if (format === "flat") {
    const at = { offsetBytes: 0, lengthBytes: file?.sizeBytes ?? 0 };
    return [builder.node("data", "the bytes of the disk as they are", at)];
  }
  const parts = header ? [await headerNode(builder, "header", header, 0)] : [];
  if (facts["footer"] === true && file && header) {
    const offsetBytes = file.sizeBytes - 2 * SECTOR_SIZE;
    parts.push(await headerNode(builder, "footer", header, offsetBytes));
  }
  for (const { label, sector, lengthSectors } of regions) {
    const at = { offsetBytes: sector * SECTOR_SIZE, lengthBytes: lengthSectors * SECTOR_SIZE };
    if (label === "header" || label === "grain directory" || label === "redundant directory") continue;
    const children = label === "descriptor" ? await linesOf(builder, at) : [];
    parts.push(builder.node(label, formatSize(at.lengthBytes), at, children));
  }
  const geometry = geometryOf(extent);
  if (!geometry) return parts;
  parts.push(await directoryNode(builder, "grain directory", geometry));
  const redundant = regions.find(({ label }) => label === "redundant directory");
  if (redundant) {
    const directoryOffsetBytes = redundant.sector * SECTOR_SIZE;
    parts.push(await directoryNode(builder, "redundant directory", { ...geometry, directoryOffsetBytes }));
  }
  return parts;
}

async function headerNode(
  builder: Builder,
  label: string,
  { fields, lengthBytes, isBigEndian }: HeaderShape,
  offsetBytes: number,
): Promise<StructureNode> {
  const view = await builder.bytes(offsetBytes, lengthBytes);
  const children = fields.filter((field) => field.at + field.lengthBytes <= view.byteLength).map((field) =>
    builder.node(field.name, fieldText(view, field, !isBigEndian), {
      offsetBytes: offsetBytes + field.at,
      lengthBytes: field.lengthBytes,
    })
  );
  return builder.node(label, formatSize(lengthBytes), { offsetBytes, lengthBytes }, children);
}

function fieldText(view: DataView, { name, at, lengthBytes }: HeaderField, little: boolean): string {
  if (/magic|flags|features/i.test(name)) {
    return `0x${
      (lengthBytes === 8 ? view.getBigUint64(at, little) : view.getUint32(at, little)).toString(16)
    }`;
  }
  if (lengthBytes === 1) return String(view.getUint8(at));
  if (lengthBytes === 2) return String(view.getUint16(at, little));
  if (lengthBytes === 4) return String(view.getUint32(at, little));
  if (lengthBytes === 8) return String(view.getBigUint64(at, little));
  const bytes = new Uint8Array(view.buffer, at, lengthBytes);
  const end = bytes.indexOf(0);
  return new TextDecoder("latin1").decode(end < 0 ? bytes : bytes.subarray(0, end));
}

async function directoryNode(builder: Builder, label: string, geometry: Geometry): Promise<StructureNode> {
  const { directoryOffsetBytes, directoryEntryBytes, directoryEntries } = geometry;
  const at = { offsetBytes: directoryOffsetBytes, lengthBytes: directoryEntries * directoryEntryBytes };
  const view = await builder.bytes(
    at.offsetBytes,
    Math.min(at.lengthBytes, MAX_LOOKED_AT * directoryEntryBytes),
  );
  const children: StructureNode[] = [];
  const tableBytes = geometry.entriesPerTable * geometry.entryBytes;
  let [present, shown] = [0, 0];
  for (let index = 0; (index + 1) * directoryEntryBytes <= view.byteLength; index++) {
    const low = view.getUint32(index * directoryEntryBytes, true);
    const high = directoryEntryBytes === 8 ? view.getUint32(index * 8 + 4, true) : 0;
    const entry = {
      offsetBytes: directoryOffsetBytes + index * directoryEntryBytes,
      lengthBytes: directoryEntryBytes,
    };
    const isEmpty = low === 0 && high === 0;
    if (isEmpty && !builder.isAround(entry)) continue;
    if (!isEmpty) present++;
    const sector = geometry.locate(low, high);
    const place = { offsetBytes: sector * SECTOR_SIZE, lengthBytes: tableBytes };
    const isWanted = builder.isAround(entry) || (sector > 0 && builder.isAround(place));
    if (present > MAX_SHOWN && !isWanted) continue;
    if (!isEmpty) shown++;
    const table = sector > 0 ? [await tableNode(builder, geometry, index, sector)] : [];
    const value = sector > 0
      ? `table at sector ${sector}`
      : `0x${high.toString(16)} ${low.toString(16)}: no table`;
    children.push(builder.node(`entry ${index}`, value, entry, table));
  }
  if (present > shown) children.push(more(builder, present - shown, at));
  return builder.node(
    label,
    `${plural(directoryEntries, "entry", "entries")}, ${plural(present, "table")}`,
    at,
    children,
  );
}

async function tableNode(
  builder: Builder,
  { entriesPerTable, entryBytes, grainSectors }: Geometry,
  index: number,
  sector: number,
): Promise<StructureNode> {
  const at = { offsetBytes: sector * SECTOR_SIZE, lengthBytes: entriesPerTable * entryBytes };
  const view = await builder.bytes(at.offsetBytes, at.lengthBytes);
  const children: StructureNode[] = [];
  let [used, shown] = [0, 0];
  for (let i = 0; (i + 1) * entryBytes <= view.byteLength; i++) {
    const value = entryBytes === 4 ? BigInt(view.getUint32(i * 4, true)) : view.getBigUint64(i * 8, true);
    const entry = { offsetBytes: at.offsetBytes + i * entryBytes, lengthBytes: entryBytes };
    if (value !== 0n) used++;
    if ((value === 0n || used > MAX_SHOWN) && !builder.isAround(entry)) continue;
    if (value !== 0n) shown++;
    const disk = (index * entriesPerTable + i) * grainSectors;
    const text = entryBytes === 4 ? String(value) : `0x${value.toString(16)}`;
    children.push(builder.node(`entry ${i}, disk sector ${disk}`, text, entry));
  }
  if (used > shown) children.push(more(builder, used - shown, at));
  return builder.node(
    `grain table ${index}`,
    `${plural(entriesPerTable, "entry", "entries")}, ${used} in use`,
    at,
    children,
  );
}

function more(
  builder: Builder,
  count: number,
  at: { offsetBytes: number; lengthBytes: number },
): StructureNode {
  return builder.node(`…${count} more`, "", at);
}

/** The lines of a descriptor: keys and extents. */
async function linesOf(
  builder: Builder,
  at: { readonly offsetBytes: number; readonly lengthBytes: number },
): Promise<StructureNode[]> {
  const view = await builder.bytes(at.offsetBytes, Math.min(at.lengthBytes, MAX_DESCRIPTOR_BYTES));
  const text = new TextDecoder("latin1").decode(view).split("\0", 1)[0]!;
  const nodes: StructureNode[] = [];
  let offsetBytes = at.offsetBytes;
  for (const line of text.split("\n")) {
    const lengthBytes = line.length;
    const trimmed = line.trim();
    if (trimmed !== "" && nodes.length < MAX_LINES) {
      const equals = trimmed.startsWith("#") ? -1 : trimmed.indexOf("=");
      const label = equals > 0 ? trimmed.slice(0, equals).trim() : trimmed;
      const value = equals > 0 ? trimmed.slice(equals + 1).trim() : "";
      nodes.push(builder.node(label, value, { offsetBytes, lengthBytes }));
    }
    offsetBytes += lengthBytes + 1;
  }
  return nodes;
}
