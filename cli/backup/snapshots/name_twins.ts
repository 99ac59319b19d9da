/** Names that look alike and differ in their bytes: an é of one code point, or of two. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { Repository } from "../repository.ts";

/**
 * Refuses the first backup under a name that another disk has in the other normal form of Unicode: nobody could tell
 * the two apart, and rules would count them as two disks.
 *
 * @throws {RegrainError} `USAGE`.
 */
export async function refuseTwin(repository: Repository, name: string): Promise<void> {
  const twins = [name.normalize("NFC"), name.normalize("NFD")].filter((each) => each !== name);
  if (twins.length === 0) return;
  if ((await repository.listSnapshots(await repository.sourceKey(name))).length > 0) return;
  for (const twin of twins) {
    if ((await repository.listSnapshots(await repository.sourceKey(twin))).length === 0) continue;
    const form = twin === name.normalize("NFC") ? "composed (NFC)" : "decomposed (NFD)";
    throw new RegrainError("USAGE", `--name ${name} looks like a disk that is there in the ${form} form`, {
      path: repository.store.label,
      hint: `take the name of that disk: --name "$(printf '${octal(twin)}')"; or one that looks different`,
    });
  }
}

/** The bytes of a name as printf of a shell takes them: what a terminal copies might be of either form. */
function octal(name: string): string {
  return [...new TextEncoder().encode(name)].map((byte) =>
    byte >= 0x80 || byte === 0x27 || byte === 0x25 || byte === 0x5c
      ? `\\${byte.toString(8).padStart(3, "0")}`
      : String.fromCharCode(byte)
  ).join("");
}
