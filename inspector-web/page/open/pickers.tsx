/** The choice of files and of a folder. */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Inspector } from "../actions/inspector.ts";
import { ChosenFolder } from "./folder.ts";
import { fromList } from "./given_files.ts";

/** What opens the pickers of the browser. */
export interface Pickers {
  readonly files: RefObject<HTMLInputElement | null>;
  readonly folder: RefObject<HTMLInputElement | null>;
  /** True while files are chosen to be opened together with what is open. */
  readonly together: { current: boolean };
  pick(isMore: boolean): void;
  pickFolder(): void;
}

export function usePickers(): Pickers {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const together = useRef(false);
  useEffect(() => {
    if (folder.current) folder.current.webkitdirectory = true;
  }, []);
  const pick = (isMore: boolean) => {
    together.current = isMore;
    files.current?.click();
  };
  return { files, folder, together, pick, pickFolder: () => folder.current?.click() };
}

/** The elements behind the pickers, which nobody sees. */
export function PickerInputs(
  { pickers: { files, folder, together }, inspector: { opening } }: {
    pickers: Pickers;
    inspector: Inspector;
  },
) {
  return (
    <>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        data-testid="picker"
        aria-label="Files to open"
        onChange={({ currentTarget }) => {
          void opening.openFiles(fromList(currentTarget.files ?? []).files, together.current);
          currentTarget.value = "";
        }}
      />
      <input
        ref={folder}
        type="file"
        hidden
        data-testid="folder-picker"
        aria-label="Folder of a repository to open"
        onChange={({ currentTarget }) => {
          if (currentTarget.files?.length) {
            void opening.openRepository(new ChosenFolder(currentTarget.files));
          }
          currentTarget.value = "";
        }}
      />
    </>
  );
}
