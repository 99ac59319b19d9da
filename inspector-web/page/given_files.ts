/**
 * Files as they come to the page: picked, dropped, pasted, or named by `regrain inspect`.
 */
import type { GivenFile } from "../shared/protocol.ts";

/** Files and what could not be taken, in words. */
export interface Taken {
  readonly files: readonly GivenFile[];
  readonly refused: readonly string[];
}

export function fromList(list: Iterable<File>): Taken {
  return { files: [...list].map(given), refused: [] };
}

/** What was dropped or pasted. A folder is refused in words: what belongs together is chosen by the user. */
export function fromTransfer(transfer: DataTransfer): Taken {
  const files: GivenFile[] = [];
  const refused: string[] = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    if (item.webkitGetAsEntry()?.isDirectory) {
      const name = item.getAsFile()?.name ?? "this";
      refused.push(`${name} is a folder: drop the files in it that belong together`);
      continue;
    }
    const file = item.getAsFile();
    if (file) files.push(given(file));
  }
  return { files, refused };
}

function given(file: File): GivenFile {
  return { name: file.name, file, modifiedMs: file.lastModified };
}

/** A file that `regrain inspect` serves; see `cli/inspect/page.ts`. */
interface ServedImage {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number | null;
}

/** Files that are served, and which of them the user named first. */
export interface ServedFiles {
  readonly files: readonly GivenFile[];
  readonly leaf: number | undefined;
}

/** What the server says it serves; nothing when the page was opened as a file. */
export function fromServer(json: string, base: string): ServedFiles {
  const served = JSON.parse(json) as
    | { readonly images: readonly ServedImage[]; readonly open: readonly string[] }
    | null;
  const images = served?.images ?? [];
  const first = served?.open[0];
  const leaf = images.findIndex(({ name, path }) => path === first || name === first);
  const files = images.map(({ name, path, sizeBytes, modifiedMs }) => ({
    name,
    url: new URL(`files/${path}`, base).href,
    sizeBytes,
    modifiedMs,
  }));
  return { files, leaf: leaf < 0 ? undefined : leaf };
}
