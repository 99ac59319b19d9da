/** The page: header, the way in, and what is open. */
import { useEffect, useRef } from "preact/hooks";
import type { ThemeName } from "../shared/palette.ts";
import type { Inspector } from "./actions/inspector.ts";
import { Help } from "./help.tsx";
import { keyFor, type KeyParts } from "./keys.ts";
import type { PageState } from "./model/store.ts";
import { DropZone } from "./open/drop.tsx";
import { fromFolders, type Transferred } from "./open/given_files.ts";
import { PickerInputs, type Pickers, usePickers } from "./open/pickers.tsx";
import { useDrop } from "./open/use_drop.ts";
import { OpenedDisk } from "./opened_disk.tsx";
import { Snapshots } from "./panels/snapshots.tsx";
import { Troubles } from "./troubles.tsx";
import { useStore } from "./use_store.ts";
import { useTheme } from "./use_theme.ts";

export function App({ inspector }: { inspector: Inspector }) {
  const state = useStore(inspector.store);
  const theme = useTheme(state.theme);
  const dialog = useRef<HTMLDialogElement>(null);
  const pickers = usePickers();
  const parts: KeyParts = {
    inspector,
    pick: () => pickers.pick(false),
    help: () => dialog.current?.open || dialog.current?.showModal(),
    theme: () => inspector.store.set({ theme: theme === "dark" ? "light" : "dark" }),
  };
  useKeys(parts, theme);
  const isOver = useDrop((taken) => void take(inspector, taken));
  const { opened, repository, opening } = state;
  return (
    <div class={isOver ? "page over" : "page"}>
      <Header state={state} theme={theme} pickers={pickers} parts={parts} />
      <Troubles state={state} inspector={inspector} />
      <main>
        <Snapshots state={state} inspector={inspector} />
        {opened
          ? <OpenedDisk state={state} inspector={inspector} theme={theme} />
          : !repository && <DropZone pick={parts.pick} pickFolder={pickers.pickFolder} opening={opening} />}
      </main>
      {(opened || repository) && (
        <footer class="quiet">
          Nothing leaves this machine: the page's policy (<code>default-src 'none'</code>) forbids it.
        </footer>
      )}
      <Help dialog={dialog} />
    </div>
  );
}

function Header(
  { state: { opened, repository, opening }, theme, pickers, parts }: {
    state: PageState;
    theme: ThemeName;
    pickers: Pickers;
    parts: KeyParts;
  },
) {
  return (
    <header>
      <p class="brand">
        regrain <span>inspector</span>
      </p>
      {(opened || repository) && <h1>{opened?.links[0]?.name ?? repository?.label}</h1>}
      {opened && opening && <span role="status">Opening…</span>}
      <nav aria-label="Page">
        <button type="button" onClick={parts.pick}>Open…</button>
        {opened && !opened.snapshot && (
          <button type="button" onClick={() => pickers.pick(true)}>Add files…</button>
        )}
        <button type="button" onClick={pickers.pickFolder}>Open repository…</button>
        <button type="button" data-testid="theme" onClick={parts.theme}>
          {theme === "dark" ? "Light" : "Dark"}
        </button>
        <button type="button" onClick={parts.help}>Keys</button>
      </nav>
      <PickerInputs pickers={pickers} inspector={parts.inspector} />
    </header>
  );
}

/** Opens what was dropped or pasted: files, or the folder of a repository. */
async function take(inspector: Inspector, { files, folders }: Transferred): Promise<void> {
  const { repository, refused } = await fromFolders(folders);
  if (repository) return await inspector.opening.openRepository(repository);
  for (const reason of refused) inspector.fail(new Error(reason));
  await inspector.opening.openFiles(files, false);
}

/** Keys act upon the page as it is now. */
function useKeys(parts: KeyParts, theme: ThemeName): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const key = keyFor(event);
      if (!key) return;
      event.preventDefault();
      key.run(parts);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [theme]);
}
