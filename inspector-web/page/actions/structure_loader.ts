/** The structure of a file, loaded as far as it is looked at. */
import type { Desk } from "./desk.ts";
import { pathTo } from "../model/structure_path.ts";

export class StructureLoader {
  #locating = 0;

  constructor(private readonly desk: Desk) {}

  /** @param around A byte whose entry is to be among those of a long table. */
  async load(file: string, around?: number): Promise<void> {
    const locating = ++this.#locating;
    if (this.desk.store.state.structureFile !== file) {
      this.desk.store.set({ structureFile: file, structure: undefined });
    }
    try {
      const place = around === undefined ? {} : { around };
      const structure = await this.desk.client.ask({ type: "structure", file, ...place });
      if (locating === this.#locating) this.desk.store.set({ structure });
    } catch (error) {
      this.desk.fail(error);
    }
  }

  /** Sees to it that the structure that is kept names a byte of a file as exactly as it can. */
  async locate(file: string, offsetBytes: number): Promise<void> {
    const { structure, structureFile } = this.desk.store.state;
    const known = structureFile === file && structure ? pathTo(structure, offsetBytes).at(-1) : undefined;
    if (!known || known.children.length > 0) await this.load(file, offsetBytes);
  }
}
