/** The buttons above the map. */
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";
import { stepWords } from "../model/words.ts";

export function MapToolbar({ state, inspector }: { state: PageState; inspector: Inspector }) {
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
