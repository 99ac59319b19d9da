/** The map with its toolbar, legend, tooltip and spoken cursor, and the strip of the whole disk above it. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ThemeName } from "../../shared/palette.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";
import { areaNames } from "../model/words.ts";
import { GrainMap, type MapListener } from "./grain_map.ts";
import { MapLegend } from "./map_legend.tsx";
import { modelOf } from "./map_model.ts";
import { MapToolbar } from "./map_toolbar.tsx";
import { type Pointed, Spoken, Tooltip } from "./pointed.tsx";
import { Strip } from "./strip.ts";

interface Props {
  readonly state: PageState;
  readonly inspector: Inspector;
  readonly theme: ThemeName;
}

export function MapPanel({ state, inspector, theme }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stripCanvas = useRef<HTMLCanvasElement>(null);
  const map = useRef<GrainMap>(null);
  const strip = useRef<Strip>(null);
  const [hover, setHover] = useState<Pointed>();
  const { opened, view, curve, byOwner, byChange, difference } = state;
  const model = useMemo(
    () => modelOf(state, inspector, theme),
    [opened, view, curve, byOwner, byChange, difference, theme],
  );

  useEffect(() => {
    if (!canvas.current || !stripCanvas.current) return;
    const { fromSector, sectorsPerCell, cursorSector } = inspector.store.state;
    const made = new GrainMap(canvas.current, model, listenerOf(inspector, setHover));
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
      <MapToolbar state={state} inspector={inspector} />
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
      <MapLegend state={state} theme={theme} />
      <Spoken map={map} state={state} inspector={inspector} />
    </section>
  );
}

/** Where what the map finds out goes. */
function listenerOf(inspector: Inspector, hovered: (at: Pointed | undefined) => void): MapListener {
  return {
    moved: (window) =>
      inspector.store.set({
        fromSector: window.fromSector,
        sectorsPerCell: window.sectorsPerCell,
        visibleSectors: window.columns * window.rows * window.sectorsPerCell,
      }),
    hovered,
    pointed: (cursorSector) => inspector.store.set({ cursorSector, hexOffsetBytes: cursorSector * 512 }),
    chosen: (sector) => {
      inspector.navigation.goTo(sector * 512);
      inspector.navigation.showBytes("disk", sector * 512);
    },
    failed: (error) => inspector.fail(error),
  };
}
