/**
 * Which file system an area holds. Its first bytes say that for nearly all; what else is needed, mostly the label, is
 * read in a second step. All areas of a disk are looked at together, in two batches of reads.
 *
 * This module is browser compatible.
 */
import { Header } from "../header.ts";
import type { Source } from "../source.ts";
import { recogniseBtrfs } from "./btrfs.ts";
import { recogniseExt } from "./ext.ts";
import { recogniseExfat, recogniseFat } from "./fat.ts";
import { type FileSystem, HEAD_BYTES, type Recognised, type Recogniser, type Rest } from "./file_system.ts";
import { recogniseIso9660 } from "./iso9660.ts";
import { recogniseNtfs } from "./ntfs.ts";
import { Pieces, type Stretch } from "./pieces.ts";
import { VMFS } from "./vmfs.ts";
import { recogniseLuks, recogniseLvm, recogniseSwap } from "./volumes.ts";
import { recogniseXfs } from "./xfs.ts";

/**
 * The first that takes an area has it. Formatting overwrites the front of an area and may leave older superblocks
 * behind it, so those come first that stand in front.
 */
const RECOGNISERS: readonly Recogniser[] = [
  recogniseLuks,
  recogniseXfs,
  recogniseNtfs,
  recogniseExfat,
  recogniseFat,
  recogniseLvm,
  recogniseExt,
  recogniseSwap,
  recogniseIso9660,
  recogniseBtrfs,
];

/** Areas whose heads are in memory at once. */
const GROUP = 32;

const EMPTY: FileSystem = { type: "empty", label: undefined, uuid: undefined, sizeBytes: undefined };

/**
 * Looks at one area.
 *
 * @returns undefined when it holds nothing that is known; type `empty` when the bytes that would say so are zeros.
 * @throws {RegrainError} what reading the source may, and nothing else: any bytes are an answer.
 */
export async function recognise(
  source: Source,
  startBytes: number,
  lengthBytes: number,
): Promise<FileSystem | undefined> {
  const [found] = await recogniseAll(source, [{ offsetBytes: startBytes, lengthBytes }]);
  return found;
}

/** Looks at many areas: one answer each, in their order. */
export async function recogniseAll(
  source: Source,
  areas: readonly Stretch[],
): Promise<(FileSystem | undefined)[]> {
  const found: (FileSystem | undefined)[] = [];
  for (let i = 0; i < areas.length; i += GROUP) {
    found.push(...await recogniseGroup(new Pieces(source), areas.slice(i, i + GROUP)));
  }
  return found;
}

async function recogniseGroup(
  pieces: Pieces,
  areas: readonly Stretch[],
): Promise<(FileSystem | undefined)[]> {
  const cut = areas.map((area) => inside(pieces.source, area));
  const heads = cut.map(({ offsetBytes, lengthBytes }) => ({
    offsetBytes,
    lengthBytes: Math.min(lengthBytes, HEAD_BYTES),
  }));
  await pieces.load(heads);
  const looks = heads.map((head) => look(pieces, head));
  await pieces.load(looks.flatMap((each, i) => each ? stretchesOf(each.rest, cut[i]!) : []));
  return looks.map((each, i) => each && complete(pieces, each, cut[i]!));
}

/** What the head gave, and where more is to be found. */
interface Look {
  readonly fileSystem: FileSystem | undefined;
  readonly rest: Rest | undefined;
}

/** Undefined when there is nothing to look at. */
function look(pieces: Pieces, head: Stretch): Look | undefined {
  const bytes = head.lengthBytes > 0 ? pieces.at(head) : undefined;
  if (!bytes) return undefined;
  const filled = new Uint8Array(HEAD_BYTES);
  filled.set(bytes);
  const header = new Header(filled, pieces.source.path, head.offsetBytes);
  let recognised: Recognised | undefined;
  for (const recogniser of RECOGNISERS) {
    recognised = recogniser(header);
    if (recognised) return { fileSystem: recognised.fileSystem, rest: recognised.rest };
  }
  return { fileSystem: filled.every((byte) => byte === 0) ? EMPTY : undefined, rest: VMFS };
}

function complete(pieces: Pieces, found: Look, area: Stretch): FileSystem | undefined {
  if (!found.rest) return found.fileSystem;
  const parts = found.rest.stretches.map((stretch) => {
    const [place] = stretchesOf({ stretches: [stretch] }, area);
    return place && pieces.at(place);
  });
  return found.rest.complete(parts) ?? found.fileSystem;
}

/** Stretches counted from the start of the disk; without those that do not lie in the area. */
function stretchesOf(rest: Pick<Rest, "stretches"> | undefined, area: Stretch): Stretch[] {
  return (rest?.stretches ?? [])
    .filter(({ offsetBytes, lengthBytes }) => offsetBytes + lengthBytes <= area.lengthBytes)
    .map(({ offsetBytes, lengthBytes }) => ({ offsetBytes: area.offsetBytes + offsetBytes, lengthBytes }));
}

function inside(source: Source, { offsetBytes, lengthBytes }: Stretch): Stretch {
  return { offsetBytes, lengthBytes: Math.max(0, Math.min(lengthBytes, source.sizeBytes - offsetBytes)) };
}
