/** Names in a folder, for finding what is called almost like something. */
import { isAbsent, isDenied } from "../deno_errors.ts";

/** No folder of a VM comes near. */
const MAX_NAMES = 65_536;

/** See {@link Io.list}. */
export function listFolder(path: string): string[] | undefined {
  const names: string[] = [];
  try {
    for (const { name } of Deno.readDirSync(path)) {
      if (names.length === MAX_NAMES) return undefined;
      names.push(name);
    }
    return names;
  } catch (error) {
    if (isAbsent(error) || isDenied(error)) return undefined;
    throw error;
  }
}
