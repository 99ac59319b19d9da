/** Random chains, made by the writers of the fixtures, and the plain model of what they hold. */
import {
  BASE,
  BASE_CID,
  baseDisk,
  baseFiles,
  buildCowd,
  buildHosted,
  buildSeSparse,
  deltaFiles,
  type DeltaKind,
  type Files,
  type Grain,
  type LinkSpec,
  nothingBelow,
  overlay,
} from "../../fixtures/mod.ts";
import { ceilDiv, type RunKind, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { fc } from "./property.ts";

/** One link above the base. */
export interface RandomLink {
  readonly kind: DeltaKind;
  readonly spec: LinkSpec;
  /** What only hosted sparse files have. */
  readonly hosted: {
    readonly tableEntries: number;
    readonly redundant: boolean;
    readonly tables: "all" | "first-touch";
  };
}

export interface RandomChain {
  /** 0: no base at all. */
  readonly baseSectors: number;
  /** Oldest first. */
  readonly links: readonly RandomLink[];
}

const GRAIN_SECTORS = { cowd: [1, 2, 8, 64], sesparse: [8], hosted: [16, 128] } as const;

interface Stretch {
  readonly at: number;
  readonly count: number;
  readonly kind: Grain["kind"] | "zero-data";
}

const stretch: fc.Arbitrary<Stretch> = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  count: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 60 })),
  kind: fc.constantFrom("data", "data", "data", "zero-data", "zero", "unmapped", "absent"),
});

const link = fc.record({
  kind: fc.constantFrom<DeltaKind>("cowd", "sesparse", "hosted"),
  grain: fc.nat(),
  stretches: fc.array(stretch, { maxLength: 10 }),
  reversed: fc.boolean(),
  grownBy: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 300 })),
  hosted: fc.record({
    tableEntries: fc.constantFrom(64, 128, 512),
    redundant: fc.boolean(),
    tables: fc.constantFrom("all" as const, "first-touch" as const),
  }),
});

/** Chains of 1 to 5 links, of disks of up to 2 MiB and growing. */
export const randomChain: fc.Arbitrary<RandomChain> = fc.record({
  sectors: fc.integer({ min: 1, max: 4096 }),
  hasBase: fc.boolean(),
  links: fc.array(link, { minLength: 1, maxLength: 5 }),
}).map(({ sectors, hasBase, links }) => {
  let capacitySectors = sectors;
  return {
    // Without the bytes of the grains, which nobody wants to read when a property fails.
    [fc.toStringMethod]: () => fc.stringify({ sectors, hasBase, links }),
    baseSectors: hasBase ? sectors : 0,
    links: links.map(({ kind, grain, stretches, reversed, grownBy, hosted }, seed) => {
      capacitySectors += grownBy;
      const sizes = GRAIN_SECTORS[kind];
      const grainSectors = sizes[grain % sizes.length]!;
      const grains = grainsOf(stretches, { kind, grainSectors, capacitySectors });
      if (reversed) grains.reverse();
      return { kind, hosted, spec: { capacitySectors, grainSectors, seed: seed + 10, grains } };
    }),
  };
});

/** Grains in write order; of two stretches that meet the first has its way. */
function grainsOf(
  stretches: readonly Stretch[],
  disk: { kind: DeltaKind; grainSectors: number; capacitySectors: number },
): Grain[] {
  const grains = new Map<number, Grain>();
  const count = ceilDiv(disk.capacitySectors, disk.grainSectors);
  for (const { at, count: length, kind } of stretches) {
    const first = Math.floor(at * count);
    for (let index = first; index < Math.min(count, first + length); index++) {
      if (!grains.has(index)) grains.set(index, grainOf(index, kind, disk));
    }
  }
  return [...grains.values()];
}

function grainOf(
  index: number,
  kind: Stretch["kind"],
  disk: { kind: DeltaKind; grainSectors: number },
): Grain {
  if (kind === "zero-data") {
    return { index, kind: "data", data: new Uint8Array(disk.grainSectors * SECTOR_SIZE) };
  }
  return { index, kind: kind === "unmapped" && disk.kind !== "sesparse" ? "zero" : kind };
}

/** `disk-000001.vmdk` for the oldest link. */
export function linkName(position: number): string {
  return `disk-${String(position + 1).padStart(6, "0")}.vmdk`;
}

/** Every file of a chain; without a base the oldest link names one that is not there. */
export function chainFiles(chain: RandomChain): Files {
  const files: Files = chain.baseSectors > 0 ? baseFiles({ capacitySectors: chain.baseSectors }) : {};
  for (const [position, link] of chain.links.entries()) {
    Object.assign(
      files,
      deltaFiles({
        kind: link.kind,
        bytes: buildLink(link),
        capacitySectors: link.spec.capacitySectors,
        name: linkName(position),
        descriptor: {
          cid: `c1d${position}`,
          parentCid: position === 0 ? BASE_CID : `c1d${position - 1}`,
          parentFileNameHint: position === 0 ? BASE.descriptor : linkName(position - 1),
        },
      }),
    );
  }
  return files;
}

function buildLink({ kind, spec, hosted }: RandomLink): Uint8Array<ArrayBuffer> {
  if (kind === "cowd") return buildCowd(spec).bytes;
  if (kind === "sesparse") return buildSeSparse(spec).bytes;
  return buildHosted({ ...spec, ...hosted }).bytes;
}

/** What the base holds, or an empty disk. */
export function baseBytes(chain: RandomChain): Uint8Array<ArrayBuffer> {
  return chain.baseSectors > 0 ? baseDisk(chain.baseSectors) : nothingBelow(0);
}

/** What the chain reads as: its links laid over the base one by one. */
export function chainBytes(chain: RandomChain): Uint8Array<ArrayBuffer> {
  return chain.links.reduce((disk, { spec }) => overlay(disk, spec), baseBytes(chain));
}

/**
 * What each sector of the deltas is, oldest link first. A sector that no link has is a hole, or zero where a lower
 * link ends before it.
 */
export function kindsOf(links: readonly RandomLink[]): RunKind[] {
  let below: RunKind[] = [];
  for (const [position, { spec }] of links.entries()) {
    const outside: RunKind = position === 0 ? "hole" : "zero";
    const kinds = Array.from({ length: spec.capacitySectors }, (_, sector) => below[sector] ?? outside);
    for (const { index, kind } of spec.grains) {
      if (kind === "absent") continue;
      const start = index * spec.grainSectors;
      kinds.fill(kind === "data" ? "data" : "zero", start, start + spec.grainSectors);
    }
    below = kinds;
  }
  return below;
}
