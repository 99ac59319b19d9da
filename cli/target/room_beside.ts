/**
 * Whether the undo file and the journal can be written where they are to be: looked at before anything is made, in a
 * dry run too. An apply that finds out half-way leaves a target that is half one thing and half the other.
 */
import { formatSize, RegrainError } from "../../core-as/host/mod.ts";
import { type Io, systemError } from "../io/mod.ts";
import type { WrittenBeside } from "./purposes.ts";
import { type GuardedOperation, spoken } from "./spoken.ts";

/**
 * @param need Most bytes that the undo file may come to hold; `undefined` where nobody knows.
 * @returns what may go wrong all the same, one sentence each.
 * @throws {RegrainError} `PERMISSION`, `OPEN_FAILED` when a file cannot be made.
 */
export function requireRoomBeside(
  { undo, journal }: WrittenBeside,
  need: { undoBytes: number | undefined; operation: GuardedOperation },
  io: Pick<Io, "roomAt">,
): string[] {
  const warnings: string[] = [];
  if (undo !== undefined) {
    const freeBytes = requireRoom(undo, { what: "--undo", name: "undo file" }, io);
    if (need.undoBytes !== undefined && freeBytes !== undefined && freeBytes < need.undoBytes) {
      warnings.push(
        `${undo}: the undo file needs up to ${formatSize(need.undoBytes)}, ${
          formatSize(freeBytes)
        } are free ` +
          `there; when it is full the ${
            spoken(need.operation).run
          } stops, and can be taken back or gone on with`,
      );
    }
  }
  if (typeof journal === "string") requireRoom(journal, { what: "--journal", name: "journal" }, io);
  return warnings;
}

function requireRoom(
  path: string,
  file: { what: string; name: string },
  io: Pick<Io, "roomAt">,
): number | undefined {
  const { obstacle, freeBytes } = io.roomAt(path);
  if (obstacle === undefined) return freeBytes;
  const { code, reason } = systemError({ operation: "make", errno: obstacle, path });
  throw new RegrainError(code, `the ${file.name}: ${reason}`, {
    path,
    hint: obstacle === "ENOENT"
      ? `make its folder first, or name another file with ${file.what}`
      : `name another file with ${file.what}`,
  });
}
