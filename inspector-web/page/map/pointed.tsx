/** What is known of the place that the pointer or the cursor is at. */
import { useEffect, useState } from "preact/hooks";
import type { RefObject } from "preact";
import type { SectorFacts } from "../../shared/protocol.ts";
import { formatOffset } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";
import { cellWords, sectorRows, sectorWords } from "../model/sector_words.ts";
import type { PageState } from "../model/store.ts";
import type { GrainMap } from "./grain_map.ts";

interface Props {
  readonly state: PageState;
  readonly inspector: Inspector;
}

/** A sector, and where on the page it is shown. */
export interface Pointed {
  readonly sector: number;
  readonly x: number;
  readonly y: number;
}

const SPEAK_AFTER_MS = 150;

/** What decides about a sector, asked for when the pointer or the cursor rests on it. */
function useSector(sector: number | undefined, { view, scan, areas }: PageState, inspector: Inspector) {
  const [facts, setFacts] = useState<SectorFacts>();
  useEffect(() => {
    if (sector === undefined) return;
    let isCurrent = true;
    const timer = setTimeout(() => {
      inspector.client.ask({ type: "describe", view, sector }).then((described) => {
        if (isCurrent) setFacts(described);
      }, (error) => isCurrent && inspector.fail(error));
    }, SPEAK_AFTER_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [sector, view, scan?.finished, areas]);
  return facts?.sector === sector ? facts : undefined;
}

export function Tooltip({ at, state, inspector }: { at: Pointed } & Props) {
  const facts = useSector(at.sector, state, inspector);
  const [left, top] = [Math.min(at.x + 14, innerWidth - 300), Math.min(at.y + 18, innerHeight - 220)];
  return (
    <div class="tooltip" style={{ left: `${Math.max(4, left)}px`, top: `${top}px` }} aria-hidden="true">
      <strong>{formatOffset(at.sector * 512)}</strong>
      {facts && (
        <dl>
          {sectorRows(facts, inspector.navigation.landmarks(facts.linkIndex)).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

/** The cursor in words, for those who do not see the map; shown too, since everybody can use it. */
export function Spoken({ map, state, inspector }: { map: RefObject<GrainMap | null> } & Props) {
  const facts = useSector(state.cursorSector, state, inspector);
  const cell = map.current?.cursorCell();
  return (
    <p id="map-live" class="cursor-words" data-testid="map-live" aria-live="polite">
      {cell && cellWords(cell, state.sectorsPerCell)} {facts && sectorWords(facts)}
    </p>
  );
}
