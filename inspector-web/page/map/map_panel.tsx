/** The map with its toolbar, legend, tooltip and spoken cursor, and the strip of the whole disk above it. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";
import { formatSize } from "../../../core-as/host/units.ts";
import { hexOf, linkColour, type Palette, PALETTES, type ThemeName } from "../../shared/palette.ts";
import type { SectorFacts } from "../../shared/protocol.ts";
import { formatOffset } from "../../shared/units.ts";
import { GrainMap, type MapModel } from "./grain_map.ts";
import type { Inspector } from "../actions/inspector.ts";
import { cellWords, sectorRows, sectorWords } from "../model/sector_words.ts";
import type { PageState } from "../model/store.ts";
import { Strip } from "./strip.ts";
import { areaNames, linkOf, scanWords, stepWords } from "../model/words.ts";

interface Props {
  readonly state: PageState;
  readonly inspector: Inspector;
  readonly theme: ThemeName;
}

/** A raw disk has no grains; its cells go down to this many sectors. */
const RAW_GRAIN_SECTORS = 8;
const SPEAK_AFTER_MS = 150;

export function MapPanel({ state, inspector, theme }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stripCanvas = useRef<HTMLCanvasElement>(null);
  const map = useRef<GrainMap>(null);
  const strip = useRef<Strip>(null);
  const [hover, setHover] = useState<{ sector: number; x: number; y: number }>();
  const { opened, view, curve, byOwner, byChange, difference } = state;
  const model = useMemo(
    () => modelOf(state, inspector, theme),
    [opened, view, curve, byOwner, byChange, difference, theme],
  );

  useEffect(() => {
    if (!canvas.current || !stripCanvas.current) return;
    const { fromSector, sectorsPerCell, cursorSector } = inspector.store.state;
    const made = new GrainMap(canvas.current, model, {
      moved: (window) =>
        inspector.store.set({
          fromSector: window.fromSector,
          sectorsPerCell: window.sectorsPerCell,
          visibleSectors: window.columns * window.rows * window.sectorsPerCell,
        }),
      hovered: setHover,
      pointed: (cursorSector) => inspector.store.set({ cursorSector, hexOffsetBytes: cursorSector * 512 }),
      chosen: (sector) => {
        inspector.navigation.goTo(sector * 512);
        inspector.navigation.showBytes("disk", sector * 512);
      },
      failed: (error) => inspector.fail(error),
    });
    if (sectorsPerCell > 0) made.place(fromSector, sectorsPerCell);
    made.point(cursorSector);
    inspector.map = map.current = made;
    strip.current = new Strip(stripCanvas.current, model, (sector) => made.centre(sector));
    return () => {
      made.destroy();
      strip.current?.destroy();
      inspector.map = undefined;
    };
  }, []);
  const shownDisk = useRef(`${view}`);
  useEffect(() => {
    const isOther = shownDisk.current !== `${view}`;
    shownDisk.current = `${view}`;
    map.current?.show(model, isOther);
    strip.current?.show(model);
  }, [model]);
  useEffect(() => {
    strip.current?.look({
      fromSector: state.fromSector,
      sectors: state.visibleSectors,
      areas: state.areas?.areas ?? [],
      names: areaNames(state.areas?.areas ?? []),
    });
  }, [state.fromSector, state.visibleSectors, state.areas]);
  useEffect(() => strip.current?.refresh(), [state.scan]);

  return (
    <section class="map-panel" aria-labelledby="map-title">
      <h2 id="map-title" class="spoken">Map</h2>
      <canvas
        ref={stripCanvas}
        class="strip"
        data-testid="strip"
        tabIndex={0}
        role="slider"
        aria-label="Whole disk"
      />
      <Toolbar state={state} inspector={inspector} />
      <canvas
        ref={canvas}
        class="map"
        data-testid="map"
        tabIndex={0}
        role="application"
        aria-label="Map of the disk. Arrows move the cursor, plus and minus zoom, Enter shows the bytes."
        aria-describedby="map-live"
      />
      {hover && <Tooltip at={hover} state={state} inspector={inspector} />}
      <Legend state={state} theme={theme} />
      <Spoken map={map} state={state} inspector={inspector} />
    </section>
  );
}

function modelOf(
  { opened, view, curve, byOwner, byChange, difference }: PageState,
  inspector: Inspector,
  theme: ThemeName,
): MapModel {
  const link = linkOf(opened, view);
  return {
    capacitySectors: opened?.capacitySectors ?? 1,
    grainSectors: Math.max(1, (link?.grainBytes ?? RAW_GRAIN_SECTORS * 512) / 512),
    curve,
    byOwner,
    palette: PALETTES[theme],
    changes: opened?.snapshot && byChange && difference
      ? async (cells) => (await inspector.client.ask({ type: "changes", ...cells })).changes
      : undefined,
    tile: (cells) => inspector.client.ask({ type: "tile", view, ...cells }),
    owners: async (cells) => (await inspector.client.ask({ type: "owners", view, ...cells })).owners,
  };
}

function Toolbar({ state, inspector }: Omit<Props, "theme">) {
  const map = () => inspector.map;
  return (
    <div class="toolbar" role="toolbar" aria-label="Map">
      <button type="button" onClick={() => map()?.zoomBy("in")} aria-label="Zoom in">+</button>
      <button type="button" onClick={() => map()?.zoomBy("out")} aria-label="Zoom out">−</button>
      <button type="button" onClick={() => map()?.fit()}>Whole disk</button>
      <button type="button" onClick={() => inspector.navigation.next(true)}>‹ Previous change</button>
      <button type="button" onClick={() => inspector.navigation.next(false)}>Next change ›</button>
      <button
        type="button"
        aria-pressed={state.curve === "hilbert"}
        onClick={() => inspector.store.set({ curve: state.curve === "rows" ? "hilbert" : "rows" })}
      >
        Hilbert curve
      </button>
      {typeof state.view !== "number" && (
        <button
          type="button"
          aria-pressed={state.byOwner}
          onClick={() => inspector.store.set({ byOwner: !state.byOwner })}
        >
          Colour by link
        </button>
      )}
      <span class="quiet" role="status" data-testid="steps">{stepWords(state.steps)}</span>
      {state.opened?.snapshot && (
        <button
          type="button"
          aria-pressed={state.byChange}
          onClick={() => inspector.store.set({ byChange: !state.byChange })}
        >
          Colour by what is new
        </button>
      )}
    </div>
  );
}

function Legend({ state, theme }: { state: PageState; theme: ThemeName }) {
  const palette = PALETTES[theme];
  const [from, to] = [hexOf(palette.density[1] ?? 0), hexOf(palette.density.at(-1) ?? 0)];
  const middle = hexOf(palette.density[8] ?? 0);
  const cell = formatSize(state.sectorsPerCell * 512);
  return (
    <p class="legend">
      <strong>1 cell = {cell}</strong>
      {state.opened?.snapshot && state.byChange
        ? <ChangeLegend palette={palette} />
        : state.byOwner
        ? state.opened?.links.map((link, i) => (
          <span key={link.name}>
            <i style={{ background: hexOf(linkColour(palette, i)) }} /> {link.name}
          </span>
        ))
        : (
          <span>
            <i class="wide" style={{ background: `linear-gradient(90deg, ${from}, ${middle}, ${to})` }} />
            {" "}
            data, little to all
          </span>
        )}
      <span>
        <i style={{ background: hexOf(palette.zero[1]) }} /> {state.opened?.snapshot ? "zeros ○" : "zeroed"}
      </span>
      {!state.opened?.snapshot && (
        <span>
          <i style={{ background: hexOf(palette.density[0] ?? 0) }} /> unchanged, the parent shows
        </span>
      )}
      {state.scan?.finished === false && (
        <span>
          <i style={{ background: hexOf(palette.unread) }} /> not read yet
        </span>
      )}
      <span>
        <i style={{ background: hexOf(palette.damage) }} /> damaged ✕, nobody knows what is there
      </span>
      <span class="quiet">{scanWords(state.scan)}</span>
    </p>
  );
}

/** What is new in a snapshot, in whole chunks. */
function ChangeLegend({ palette: { changes } }: { palette: Palette }) {
  return (
    <>
      <span>
        <i style={{ background: hexOf(changes.data) }} /> new chunk ╱
      </span>
      <span>
        <i style={{ background: hexOf(changes.kept[1]) }} /> reused chunk
      </span>
      <span>
        <i style={{ background: hexOf(changes.zeros) }} /> new zeros ○
      </span>
    </>
  );
}

/** What decides about a sector, asked for when the pointer or the cursor rests on it. */
function useSector(sector: number | undefined, { view, scan }: PageState, inspector: Inspector) {
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
  }, [sector, view, scan?.finished]);
  return facts?.sector === sector ? facts : undefined;
}

function Tooltip(
  { at, state, inspector }: { at: { sector: number; x: number; y: number } } & Omit<Props, "theme">,
) {
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
function Spoken({ map, state, inspector }: { map: RefObject<GrainMap | null> } & Omit<Props, "theme">) {
  const facts = useSector(state.cursorSector, state, inspector);
  const cell = map.current?.cursorCell();
  return (
    <p id="map-live" class="cursor-words" data-testid="map-live" aria-live="polite">
      {cell && cellWords(cell, state.sectorsPerCell)} {facts && sectorWords(facts)}
    </p>
  );
}
