/** The folder of a VM with a flat base and snapshots, each with the content ids and names that a test wants. */
import { buildCowd, buildDescriptor, fullDisk, overlay } from "../../fixtures/mod.ts";
import type { LinkSpec } from "../../fixtures/mod.ts";

const CAPACITY_SECTORS = 2048;

export interface VmSpec {
  /** Of the base, then of each delta; the parentCID of each is that of the one before. */
  readonly cids: readonly string[];
  /** `vm` by default. */
  readonly name?: string;
  /** Without descriptors there are bare extents alone. */
  readonly bare?: boolean;
}

/** Every delta holds sector 5, so that the last one applied shows, and one sector of its own. */
function linkSpec(number: number): LinkSpec {
  const grains = [5, 20 + number].map((index) => ({ index, kind: "data" as const }));
  return { capacitySectors: CAPACITY_SECTORS, grainSectors: 1, seed: 100 + number, grains };
}

export class VmFolder {
  readonly name: string;
  /** What the base reads as. */
  readonly base = fullDisk({ seed: 1, capacitySectors: CAPACITY_SECTORS });

  constructor(readonly folder: string, private readonly spec: VmSpec) {
    this.name = spec.name ?? "vm";
    Deno.mkdirSync(folder, { recursive: true });
    spec.cids.forEach((cid, number) => this.write(number, cid));
  }

  /** Name of the descriptor of the base (0) or of a delta. */
  nameOf(number: number): string {
    return number === 0 ? `${this.name}.vmdk` : `${this.name}-${String(number).padStart(6, "0")}.vmdk`;
  }

  descriptor(number: number): string {
    return `${this.folder}/${this.nameOf(number)}`;
  }

  extent(number: number): string {
    return this.descriptor(number).replace(/\.vmdk$/, number === 0 ? "-flat.vmdk" : "-delta.vmdk");
  }

  /** What the base reads as with these deltas over it, in this order. */
  disk(...numbers: readonly number[]): Uint8Array<ArrayBuffer> {
    return numbers.reduce((below, number) => overlay(below, linkSpec(number)), this.base);
  }

  /** A copy of the base, as a raw image. */
  copy(name = "copy.img"): string {
    Deno.writeFileSync(`${this.folder}/${name}`, this.base);
    return `${this.folder}/${name}`;
  }

  private write(number: number, cid: string): void {
    const type = number === 0 ? "VMFS" : "VMFSSPARSE";
    const file = this.extent(number).slice(this.folder.length + 1);
    Deno.writeFileSync(this.extent(number), number === 0 ? this.base : buildCowd(linkSpec(number)).bytes);
    if (this.spec.bare && number > 0) return;
    Deno.writeFileSync(
      this.descriptor(number),
      buildDescriptor({
        createType: number === 0 ? "vmfs" : "vmfsSparse",
        cid,
        ...(number === 0 ? {} : {
          parentCid: this.spec.cids[number - 1]!,
          parentFileNameHint: this.nameOf(number - 1),
        }),
        extents: [{ sectors: CAPACITY_SECTORS, type, file }],
      }),
    );
  }
}
