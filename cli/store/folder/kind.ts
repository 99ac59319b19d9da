/** Folders, as the registry of stores has them. */
import { isAbsent, isDenied } from "../../deno_errors.ts";
import type { StoreKind } from "../kind.ts";
import { FolderStore } from "./store.ts";

export const FOLDER: StoreKind = {
  form: "a folder",
  flags: [],
  find: (path) => ({
    open: (_, { foreignKeys, warn }) => Promise.resolve(new FolderStore(path, { foreignKeys, warn })),
    identity: () => realPathOf(path.length > 1 ? path.replace(/\/+$/, "") : path),
    // What is in a folder goes over no wire of ours.
    exposedHost: () => undefined,
  }),
};

async function realPathOf(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    // A folder that is not there, or whose way Deno may not look at: what was typed names it well enough.
    if (isAbsent(error) || isDenied(error)) return path;
    throw error;
  }
}
