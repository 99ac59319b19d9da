/**
 * Random worlds: a disk with its snapshots as files, written so that the files say more or less, or the wrong thing,
 * about who stands on whom. What the disk really reads as is known from the model alone.
 */
import {
  BASE,
  baseDisk,
  buildCowd,
  buildDescriptor,
  buildHosted,
  buildSeSparse,
  deltaFileName,
  deltaFiles,
  type DeltaKind,
  type Files,
  fullDisk,
  overlay,
} from "../../../fixtures/mod.ts";
import { BASE_SEED } from "../../../fixtures/case.ts";
import { SECTOR_SIZE } from "../../../core-as/host/units.ts";
import { fc } from "../../helpers/property.ts";
import { linkName, type RandomChain, randomChain, type RandomLink } from "../../helpers/random_chain.ts";

/**
 * How content ids came about. `own`: each link has one of its own. `never`: nothing was written since the disk was
 * made. `running`: snapshots taken while the VM ran, so that every link has the base's. `restarted`: the same, and then
 * the newest link was opened again. `other`: the oldest link was made against another state of the base.
 */
export type CidScheme = "own" | "never" | "running" | "restarted" | "other";

/** What the hint of a link says of its parent. */
export type HintStyle = "name" | "datastore" | "windows" | "none" | "grandparent" | "itself";

/** What the base is stored as. */
export type BaseKind = "vmfs" | "sparse" | "split-flat" | "split-sparse";

export interface World {
  readonly chain: RandomChain;
  readonly cids: CidScheme;
  /** Per link, oldest first. */
  readonly hints: readonly HintStyle[];
  /** Links whose descriptor was lost. */
  readonly bare: readonly boolean[];
  readonly base: BaseKind;
}

const hintStyle = fc.oneof(
  { weight: 5, arbitrary: fc.constant<HintStyle>("name") },
  { weight: 2, arbitrary: fc.constantFrom<HintStyle>("datastore", "windows") },
  { weight: 1, arbitrary: fc.constantFrom<HintStyle>("none", "grandparent", "itself") },
);

export const randomWorld: fc.Arbitrary<World> = fc.record({
  chain: randomChain.filter(({ baseSectors }) => baseSectors > 0),
  cids: fc.constantFrom<CidScheme>("own", "own", "never", "running", "restarted", "other"),
  hints: fc.array(hintStyle, { minLength: 5, maxLength: 5 }),
  bare: fc.oneof(
    { weight: 4, arbitrary: fc.constant([false, false, false, false, false]) },
    { weight: 1, arbitrary: fc.constant([true, true, true, true, true]) },
    { weight: 1, arbitrary: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }) },
  ),
  base: fc.constantFrom<BaseKind>("vmfs", "vmfs", "sparse", "split-flat", "split-sparse"),
});

/** Content ids of base and links, oldest first: `cids[i + 1]` is that of link `i`. */
export function cidsOf({ chain, cids }: World): { own: string[]; parent: string[] } {
  const count = chain.links.length;
  const own = Array.from({ length: count + 1 }, (_, i) => `c1d0000${i}`);
  if (cids === "never") own.fill("fffffffe");
  if (cids === "running" || cids === "restarted") own.fill("c1d00000");
  if (cids === "restarted") own[count] = "c1d000ff";
  const parent = own.slice(0, count);
  if (cids === "other") parent[0] = "badbadba";
  return { own, parent };
}

/** The name that stands in the hint of link `position`, or none. */
export function hintOf({ hints }: World, position: number): string | undefined {
  const style = hints[position]!;
  if (style === "none") return undefined;
  const steps = style === "itself" ? 0 : style === "grandparent" && position > 0 ? 2 : 1;
  const below = position - steps;
  const name = below < 0 ? BASE.descriptor : linkName(below);
  if (style === "datastore") return `/vmfs/volumes/5a1b2c3d-00112233-4455-66778899aabb/vm/${name}`;
  return style === "windows" ? `C:\\Virtual Machines\\vm\\${name}` : name;
}

/** The file that holds a link's grains. */
export function extentName(world: World, position: number): string {
  return deltaFileName(linkName(position), world.chain.links[position]!.kind);
}

/** True when only the extent of a link is left. A hosted sparse file without its descriptor may be any piece. */
export function isBare({ bare, chain }: World, position: number): boolean {
  return bare[position]! && chain.links[position]!.kind !== "hosted";
}

/** Every file of the world. */
export function filesOf(world: World): Files {
  const { chain } = world;
  const { own, parent } = cidsOf(world);
  const files = baseFilesOf(world, own[0]!);
  for (const [position, link] of chain.links.entries()) {
    Object.assign(
      files,
      deltaFiles({
        kind: link.kind,
        bytes: buildLink(link),
        capacitySectors: link.spec.capacitySectors,
        name: linkName(position),
        descriptor: {
          cid: own[position + 1]!,
          parentCid: parent[position]!,
          parentFileNameHint: hintOf(world, position),
        },
      }),
    );
    if (isBare(world, position)) delete files[linkName(position)];
  }
  return files;
}

function buildLink({ kind, spec, hosted }: RandomLink): Uint8Array<ArrayBuffer> {
  const build: Record<DeltaKind, () => { bytes: Uint8Array<ArrayBuffer> }> = {
    cowd: () => buildCowd(spec),
    sesparse: () => buildSeSparse(spec),
    hosted: () => buildHosted({ ...spec, ...hosted }),
  };
  return build[kind]().bytes;
}

const GRAIN_SECTORS = 128;

function baseFilesOf({ chain, base }: World, cid: string): Files {
  const sectors = chain.baseSectors;
  const disk = baseDisk(sectors);
  const describe = (createType: string, extents: Parameters<typeof buildDescriptor>[0]["extents"]) =>
    buildDescriptor({ createType, cid, extents });
  if (base === "vmfs") {
    const extents = [{ sectors, type: "VMFS", file: BASE.flat }];
    return { [BASE.descriptor]: describe("vmfs", extents), [BASE.flat]: disk };
  }
  if (base === "sparse") {
    const extents = [{ sectors, type: "SPARSE", file: BASE.descriptor }];
    const descriptor = describe("monolithicSparse", extents);
    return { [BASE.descriptor]: sparseOf({ from: 0, sectors, descriptor }) };
  }
  const flat = base === "split-flat";
  const files: Files = {};
  const extents = piecesOf(sectors).map(({ from, length }, i) => {
    const file = `disk-${flat ? "f" : "s"}00${i + 1}.vmdk`;
    files[file] = flat
      ? disk.slice(from * SECTOR_SIZE, (from + length) * SECTOR_SIZE)
      : sparseOf({ from, sectors: length });
    return { sectors: length, type: flat ? "FLAT" : "SPARSE", file, ...(flat ? { offsetSectors: 0 } : {}) };
  });
  files[BASE.descriptor] = describe(flat ? "twoGbMaxExtentFlat" : "twoGbMaxExtentSparse", extents);
  return files;
}

/** Two pieces where the disk has room for them. */
function piecesOf(sectors: number): { from: number; length: number }[] {
  if (sectors < 2) return [{ from: 0, length: sectors }];
  const first = Math.ceil(sectors / 3);
  return [{ from: 0, length: first }, { from: first, length: sectors - first }];
}

function sparseOf(
  piece: { from: number; sectors: number; descriptor?: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const { from, sectors, descriptor } = piece;
  const whole = fullDisk({ seed: BASE_SEED, capacitySectors: from + sectors });
  const count = Math.ceil(sectors / GRAIN_SECTORS);
  const grains = Array.from({ length: count }, (_, index) => {
    const data = new Uint8Array(GRAIN_SECTORS * SECTOR_SIZE);
    const start = (from + index * GRAIN_SECTORS) * SECTOR_SIZE;
    data.set(whole.subarray(start, start + data.length));
    return { index, kind: "data" as const, data };
  });
  return buildHosted({
    capacitySectors: sectors,
    grainSectors: GRAIN_SECTORS,
    seed: 0,
    grains,
    ...(descriptor ? { descriptor } : {}),
  }).bytes;
}

/** What the base reads as once these links, oldest first, were laid over it. */
export function laidOver({ chain }: World, positions: readonly number[]): Uint8Array<ArrayBuffer> {
  return positions.reduce((disk, at) => overlay(disk, chain.links[at]!.spec), baseDisk(chain.baseSectors));
}
