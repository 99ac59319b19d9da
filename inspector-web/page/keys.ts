/** Every key of the page with what it does: the help shows this list, and presses are looked up in it. */
import type { Inspector } from "./actions/inspector.ts";

export interface Key {
  readonly keys: readonly string[];
  readonly words: string;
  run(parts: KeyParts): void;
}

/** What keys act upon. */
export interface KeyParts {
  readonly inspector: Inspector;
  pick(): void;
  help(): void;
  theme(): void;
}

export const KEYS: readonly Key[] = [
  { keys: ["o"], words: "open files", run: ({ pick }) => pick() },
  { keys: ["g"], words: "go to a place", run: ({ inspector }) => focusField(inspector, "goto") },
  { keys: ["/"], words: "find bytes or text", run: ({ inspector }) => focusField(inspector, "find") },
  { keys: ["n"], words: "next changed byte", run: ({ inspector }) => inspector.navigation.next(false) },
  { keys: ["p"], words: "previous changed byte", run: ({ inspector }) => inspector.navigation.next(true) },
  {
    keys: ["Escape"],
    words: "stop looking; leave the field",
    run: ({ inspector }) => inspector.navigation.stopSteps(),
  },
  {
    keys: ["h"],
    words: "rows or Hilbert curve",
    run: ({ inspector: { store } }) =>
      store.set({ curve: store.state.curve === "rows" ? "hilbert" : "rows" }),
  },
  { keys: ["1"], words: "map", run: ({ inspector }) => inspector.navigation.showTab("map") },
  { keys: ["2"], words: "bytes", run: ({ inspector }) => inspector.navigation.showTab("hex") },
  { keys: ["3"], words: "structure", run: ({ inspector }) => inspector.navigation.showTab("structure") },
  { keys: ["4"], words: "chain", run: ({ inspector }) => inspector.navigation.showTab("chain") },
  { keys: ["+", "="], words: "zoom in", run: ({ inspector }) => inspector.map?.zoomBy("in") },
  { keys: ["-"], words: "zoom out", run: ({ inspector }) => inspector.map?.zoomBy("out") },
  { keys: ["0"], words: "whole disk", run: ({ inspector }) => inspector.map?.fit() },
  { keys: ["w", "ArrowUp"], words: "pan up", run: ({ inspector }) => inspector.map?.panBy(-0.25) },
  { keys: ["s", "ArrowDown"], words: "pan down", run: ({ inspector }) => inspector.map?.panBy(0.25) },
  { keys: ["a", "ArrowLeft"], words: "pan back", run: ({ inspector }) => inspector.map?.panBy(-0.05) },
  { keys: ["d", "ArrowRight"], words: "pan on", run: ({ inspector }) => inspector.map?.panBy(0.05) },
  { keys: ["t"], words: "light or dark", run: ({ theme }) => theme() },
  { keys: ["?"], words: "this help", run: ({ help }) => help() },
];

/** What the map does on its own while it has the focus. */
export const MAP_KEYS: readonly (readonly [string, string])[] = [
  ["Arrows", "move the cursor"],
  ["Page Up, Page Down", "pan by a window"],
  ["Home, End", "first and last cell"],
  ["Enter", "show the bytes"],
];

/** The key for a press; none in fields, in dialogs, with modifiers, or where a press means something already. */
export function keyFor(event: KeyboardEvent): Key | undefined {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return undefined;
  const target = event.target instanceof Element ? event.target : undefined;
  if (target?.closest("input, select, textarea, dialog, [contenteditable]")) return undefined;
  const isArrow = event.key.startsWith("Arrow");
  if (isArrow && target?.closest("[role=tablist], .scroll, code, summary")) return undefined;
  return KEYS.find(({ keys }) => keys.includes(event.key) || keys.includes(event.key.toLowerCase()));
}

/** The field is there once the bytes are shown. */
function focusField(inspector: Inspector, id: "goto" | "find"): void {
  inspector.navigation.showTab("hex");
  requestAnimationFrame(() => setTimeout(() => document.getElementById(id)?.focus()));
}
