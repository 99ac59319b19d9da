/** Whether a descriptor can take other ids, seen before its data changes. */
import { folderOf, joinPath, RegrainError } from "../../core-as/host/mod.ts";
import { type Io, systemError } from "../io/mod.ts";

/** What no right to the folder helps against: an immutable file, a volume that is mounted for reading. */
const FINAL: readonly (string | undefined)[] = ["EPERM", "EROFS"];
/** Stands for the new file, which has a random name. */
const NEW_FILE = ".regrain.tmp";

/**
 * Its ids change when the data is durable, by a new file that takes its place: that must be possible, or data and ids
 * part.
 *
 * @throws {RegrainError} `PERMISSION`; nothing was written then.
 */
export function requireRewritable(path: string, io: Pick<Io, "roomAt" | "realPath">): void {
  const real = io.realPath(path) ?? path;
  const own = io.roomAt(real).obstacle;
  // A file that may not be written is replaced all the same, where its folder may be written.
  const obstacle = FINAL.includes(own) ? own : io.roomAt(joinPath(folderOf(real), NEW_FILE)).obstacle;
  if (obstacle === undefined) return;
  const { reason } = systemError({ operation: "make", errno: obstacle, path });
  throw new RegrainError(
    "PERMISSION",
    `its CID changes with the data, and it cannot be replaced: ${reason}`,
    {
      path,
      hint:
        "make it and its folder writable (lsattr shows what chmod does not); or name its flat file as the target: " +
        "the descriptor keeps its CID then, and says of the disk what it was before",
    },
  );
}
