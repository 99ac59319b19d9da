/** What the colours and patterns of the map mean. */
import { formatSize } from "../../../core-as/host/units.ts";
import { hexOf, linkColour, type Palette, PALETTES, type ThemeName } from "../../shared/palette.ts";
import type { PageState } from "../model/store.ts";
import { scanWords } from "../model/words.ts";

export function MapLegend({ state, theme }: { state: PageState; theme: ThemeName }) {
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
