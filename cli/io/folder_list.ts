/** Names in a folder, for finding what is called almost like something. */

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
    if (isNoFolder(error)) return undefined;
    throw error;
  }
}

function isNoFolder(error: unknown): boolean {
  const { NotFound, NotADirectory, NotCapable, PermissionDenied } = Deno.errors;
  return [NotFound, NotADirectory, NotCapable, PermissionDenied].some((kind) => error instanceof kind);
}
