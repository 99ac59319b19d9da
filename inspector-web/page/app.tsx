/** The page: header, the way in, the facts at the side, one of four views, and below them what belongs to all. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ThemeName } from "../shared/palette.ts";
import type { Tab } from "../shared/permalink.ts";
import { Chain } from "./panels/chain.tsx";
import { Compare } from "./panels/compare.tsx";
import { Damage } from "./panels/damage.tsx";
import { SnapshotDifference } from "./panels/difference.tsx";
import { DropZone } from "./open/drop.tsx";
import { Facts } from "./panels/facts.tsx";
import { ChosenFolder } from "./open/folder.ts";
import { fromFolders, fromList, fromTransfer, type Transferred } from "./open/given_files.ts";
import { Help } from "./help.tsx";
import { HexView } from "./bytes/hex_view.tsx";
import { RunLengths } from "./panels/histogram.tsx";
import type { Inspector } from "./actions/inspector.ts";
import { keyFor } from "./keys.ts";
import { MapPanel } from "./map/map_panel.tsx";
import { Partitions } from "./panels/partitions.tsx";
import { Snapshots } from "./panels/snapshots.tsx";
import type { PageState } from "./model/store.ts";
import { Structure } from "./bytes/structure.tsx";
import { TakeAway } from "./panels/take_away.tsx";
import { useStore } from "./use_store.ts";

const TAB_NAMES: Readonly<Record<Tab, string>> = {
  map: "Map",
  hex: "Bytes",
  structure: "Structure",
  chain: "Chain",
};

export function App({ inspector }: { inspector: Inspector }) {
  const state = useStore(inspector.store);
  const theme = useTheme(state.theme);
  const picker = useRef<HTMLInputElement>(null);
  const dialog = useRef<HTMLDialogElement>(null);
  const together = useRef(false);
  const pick = (isMore: boolean) => {
    together.current = isMore;
    picker.current?.click();
  };
  const folderPicker = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (folderPicker.current) folderPicker.current.webkitdirectory = true;
  }, []);
  const pickFolder = () => folderPicker.current?.click();
  const take = async ({ files, folders }: Transferred) => {
    const { repository, refused } = await fromFolders(folders);
    if (repository) return await inspector.opening.openRepository(repository);
    for (const reason of refused) inspector.fail(new Error(reason));
    await inspector.opening.openFiles(files, false);
  };
  const toggleTheme = () => inspector.store.set({ theme: theme === "dark" ? "light" : "dark" });
  const isOver = useDrop((taken) => void take(taken));
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const key = keyFor(event);
      if (!key) return;
      event.preventDefault();
      const help = () => dialog.current?.open || dialog.current?.showModal();
      key.run({ inspector, pick: () => pick(false), help, theme: toggleTheme });
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [theme]);
  const { opened } = state;
  return (
    <div class={isOver ? "page over" : "page"}>
      <header>
        <p class="brand">
          regrain <span>inspector</span>
        </p>
        {(opened || state.repository) && <h1>{opened?.links[0]?.name ?? state.repository?.label}</h1>}
        {opened && state.opening && <span role="status">Opening…</span>}
        <nav aria-label="Page">
          <button type="button" onClick={() => pick(false)}>Open…</button>
          {opened && !opened.snapshot && <button type="button" onClick={() => pick(true)}>Add files…</button>}
          <button type="button" onClick={pickFolder}>Open repository…</button>
          <button type="button" data-testid="theme" onClick={toggleTheme}>
            {theme === "dark" ? "Light" : "Dark"}
          </button>
          <button type="button" onClick={() => dialog.current?.showModal()}>Keys</button>
        </nav>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          data-testid="picker"
          aria-label="Files to open"
          onChange={({ currentTarget }) => {
            void inspector.opening.openFiles(fromList(currentTarget.files ?? []).files, together.current);
            currentTarget.value = "";
          }}
        />
        <input
          ref={folderPicker}
          type="file"
          hidden
          data-testid="folder-picker"
          aria-label="Folder of a repository to open"
          onChange={({ currentTarget }) => {
            if (currentTarget.files?.length) {
              void inspector.opening.openRepository(new ChosenFolder(currentTarget.files));
            }
            currentTarget.value = "";
          }}
        />
      </header>
      <Troubles state={state} inspector={inspector} />
      <main>
        <Snapshots state={state} inspector={inspector} />
        {opened
          ? <Opened state={state} inspector={inspector} theme={theme} />
          : !state.repository && (
            <DropZone pick={() => pick(false)} pickFolder={pickFolder} opening={state.opening} />
          )}
      </main>
      {(opened || state.repository) && (
        <footer class="quiet">
          Nothing leaves this machine: the page's policy (<code>default-src 'none'</code>) forbids it.
        </footer>
      )}
      <Help dialog={dialog} />
    </div>
  );
}

function Opened({ state, inspector, theme }: { state: PageState; inspector: Inspector; theme: ThemeName }) {
  const { tab, opened } = state;
  return (
    <div class="desk">
      <aside aria-label="Facts">
        <Facts state={state} inspector={inspector} />
      </aside>
      <div class="work">
        <div class="tabs" role="tablist" aria-label="Views" onKeyDown={walkTabs}>
          {(Object.keys(TAB_NAMES) as Tab[]).map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              id={`tab-${name}`}
              data-testid={`tab-${name}`}
              aria-selected={tab === name}
              aria-controls="view"
              tabIndex={tab === name ? 0 : -1}
              disabled={opened?.mapOnly === true && (name === "hex" || name === "structure")}
              onClick={() => inspector.navigation.showTab(name)}
            >
              {TAB_NAMES[name]}
            </button>
          ))}
        </div>
        <div id="view" role="tabpanel" aria-labelledby={`tab-${tab}`}>
          {tab === "map" && <MapPanel key={keyOf(state)} state={state} inspector={inspector} theme={theme} />}
          {tab === "hex" && <HexView state={state} inspector={inspector} theme={theme} />}
          {tab === "structure" && <Structure state={state} inspector={inspector} />}
          {tab === "chain" && <Chain state={state} inspector={inspector} theme={theme} />}
        </div>
        <Partitions state={state} inspector={inspector} />
        <Damage state={state} inspector={inspector} />
        <Compare state={state} inspector={inspector} />
        <SnapshotDifference state={state} inspector={inspector} />
        <RunLengths state={state} />
        <TakeAway state={state} inspector={inspector} />
      </div>
    </div>
  );
}

/** Another disk gets another map. */
function keyOf({ opened }: PageState): string {
  return opened?.links.map(({ name, cid }) => `${name} ${cid}`).join("/") ?? "";
}

/** Left and right go from tab to tab, as everywhere. */
function walkTabs(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const way = ({ ArrowLeft: -1, ArrowRight: 1 } as const)[event.key];
  if (way === undefined) return;
  const tabs = [...event.currentTarget.querySelectorAll<HTMLButtonElement>("[role=tab]:not(:disabled)")];
  const next = tabs.at((tabs.findIndex((tab) => tab === document.activeElement) + way) % tabs.length);
  next?.focus();
  next?.click();
  event.preventDefault();
}

function Troubles({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { troubles, warning } = state;
  return (
    <div role="alert">
      {warning !== undefined && (
        <div class="warning">
          <p>{warning}</p>
          <button type="button" onClick={() => inspector.store.set({ warning: undefined })}>Dismiss</button>
        </div>
      )}
      {troubles.length > 0 && (
        <div class="error" data-testid="error">
          {troubles.map(({ code, message, hint }) => (
            <p key={message}>
              <code>{code}</code> {message} {hint !== undefined && <span>hint: {hint}</span>}
            </p>
          ))}
          <button type="button" onClick={() => inspector.store.set({ troubles: [] })}>Dismiss</button>
        </div>
      )}
    </div>
  );
}

/** The system's theme unless one was chosen; the chosen one stands on the root element, where the style reads it. */
function useTheme(chosen: ThemeName | undefined): ThemeName {
  const [isDark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const listen = () => setDark(query.matches);
    query.addEventListener("change", listen);
    return () => query.removeEventListener("change", listen);
  }, []);
  const theme = chosen ?? (isDark ? "dark" : "light");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return theme;
}

/** Takes drops and pastes anywhere on the page; true while something is held over it. */
function useDrop(take: (taken: Transferred) => void): boolean {
  const [isOver, setOver] = useState(false);
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    let depth = 0;
    addEventListener("dragenter", () => setOver(++depth > 0), { signal });
    addEventListener("dragleave", () => setOver((depth = Math.max(0, depth - 1)) > 0), { signal });
    addEventListener("dragover", (event) => event.preventDefault(), { signal });
    addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      setOver(false);
      if (event.dataTransfer) latest.current(fromTransfer(event.dataTransfer));
    }, { signal });
    addEventListener("paste", (event) => {
      if (event.clipboardData?.files.length) latest.current(fromTransfer(event.clipboardData));
    }, { signal });
    return () => stop.abort();
  }, []);
  return isOver;
}
