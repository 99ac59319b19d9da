/** The disk that is open: the facts at the side, one of four views, and below them what belongs to all. */
import type { ThemeName } from "../shared/palette.ts";
import type { Tab } from "../shared/permalink.ts";
import type { Inspector } from "./actions/inspector.ts";
import { HexView } from "./bytes/hex_view.tsx";
import { Structure } from "./bytes/structure.tsx";
import { MapPanel } from "./map/map_panel.tsx";
import type { PageState } from "./model/store.ts";
import { Chain } from "./panels/chain.tsx";
import { Compare } from "./panels/compare.tsx";
import { Damage } from "./panels/damage.tsx";
import { SnapshotDifference } from "./panels/difference.tsx";
import { Facts } from "./panels/facts.tsx";
import { RunLengths } from "./panels/histogram.tsx";
import { Partitions } from "./panels/partitions.tsx";
import { TakeAway } from "./panels/take_away.tsx";

const TAB_NAMES: Readonly<Record<Tab, string>> = {
  map: "Map",
  hex: "Bytes",
  structure: "Structure",
  chain: "Chain",
};

interface Props {
  readonly state: PageState;
  readonly inspector: Inspector;
  readonly theme: ThemeName;
}

export function OpenedDisk({ state, inspector, theme }: Props) {
  return (
    <div class="desk">
      <aside aria-label="Facts">
        <Facts state={state} inspector={inspector} />
      </aside>
      <div class="work">
        <Tabs state={state} inspector={inspector} />
        <Shown state={state} inspector={inspector} theme={theme} />
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

function Tabs({ state: { tab, opened }, inspector }: Omit<Props, "theme">) {
  return (
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
  );
}

function Shown({ state, inspector, theme }: Props) {
  const { tab } = state;
  return (
    <div id="view" role="tabpanel" aria-labelledby={`tab-${tab}`}>
      {tab === "map" && <MapPanel key={keyOf(state)} state={state} inspector={inspector} theme={theme} />}
      {tab === "hex" && <HexView state={state} inspector={inspector} theme={theme} />}
      {tab === "structure" && <Structure state={state} inspector={inspector} />}
      {tab === "chain" && <Chain state={state} inspector={inspector} theme={theme} />}
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
