/** How far the steps to the next change are: shown where one looks, and read aloud. */
import { plural } from "../../../core-as/host/units.ts";
import type { PageState } from "./store.ts";

export function Steps({ state: { steps: { waiting, message } } }: { state: PageState }) {
  const words = waiting > 0 ? `looking, ${plural(waiting, "step")} to go (Esc stops)` : message;
  return <span class="quiet" role="status" data-testid="steps">{words}</span>;
}
