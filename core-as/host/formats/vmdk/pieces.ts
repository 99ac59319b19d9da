/**
 * Pieces of split disks: `vm-s002.vmdk` of a sparse one, `vm-f002.vmdk` of a flat one. Without the descriptor that
 * names all of them, nothing says where on the disk a piece belongs, how many there are, and whether there is a parent.
 *
 * This module is browser compatible.
 */
import type { Descriptor } from "./descriptor.ts";
import type { Finding } from "../../extent.ts";
import type { Files } from "../../files.ts";
import { baseName, folderOf } from "../../names.ts";

const PIECE_NAME = /^(.*)-([sf])(\d{3,})\.vmdk$/i;

/**
 * What is to be said of a file that is opened without a descriptor that names it, if its name is that of a piece.
 *
 * @param own The descriptor in the file itself. One that names this very file outweighs the name: the VM is called
 * `srv-s002`.
 * @returns a doubt when its place is not the start of the disk, or other pieces are there; a note for a first piece
 * that may be the only one.
 */
export async function pieceFinding(
  path: string,
  own: Descriptor | undefined,
  files: Files,
): Promise<Finding | undefined> {
  const [, stem, letter, number] = PIECE_NAME.exec(baseName(path)) ?? [];
  if (stem === undefined || namesItself(own, path)) return undefined;
  const others = await otherPieces({ stem, letter: letter! }, path, files);
  const isFirst = Number(number) === 1 && others.length === 0;
  const which = Number(number) === 1 ? "the first piece" : `piece ${Number(number)}`;
  const beside = others.length === 0 ? "" : ` (${some(others)} beside it)`;
  const missing = isFirst
    ? "no descriptor says whether there are more, and whether it has a parent"
    : "no descriptor says where on the disk it belongs";
  return {
    severity: isFirst ? "note" : "doubt",
    kind: "piece",
    path,
    message: `by its name it is ${which} of a split disk${beside}, and ${missing}`,
  };
}

/** True for a descriptor of one extent that is the file it is in. */
function namesItself(own: Descriptor | undefined, path: string): boolean {
  const [line] = own?.extents ?? [];
  return own?.extents.length === 1 && line?.fileName !== undefined &&
    baseName(line.fileName) === baseName(path);
}

/** Names of the other pieces in the folder, sorted. */
async function otherPieces(
  of: { stem: string; letter: string },
  path: string,
  files: Files,
): Promise<string[]> {
  const listed = await files.list(folderOf(path)) ?? [];
  return listed.filter((name) => {
    const [, stem, letter] = PIECE_NAME.exec(name) ?? [];
    return stem === of.stem && letter?.toLowerCase() === of.letter.toLowerCase() && name !== baseName(path);
  }).sort();
}

function some(names: readonly string[]): string {
  return names.length <= 2 ? names.join(", ") : `${names[0]} to ${names.at(-1)}`;
}
