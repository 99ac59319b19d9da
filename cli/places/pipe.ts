/** `-`: standard input or standard output. */
import type { PlaceKind } from "./place.ts";

/** What stands for a stream. A file of this name is `./-`. */
export const PIPE = "-";

export const STREAM: PlaceKind = {
  form: PIPE,
  noun: "a stream",
  can: ["receive", "send"],
  find: (name) => name === PIPE ? { kind: STREAM, name } : undefined,
  instead: ({ anyOf }) =>
    anyOf.includes("read") || anyOf.includes("delta")
      ? "cat > FILE keeps a stream in a file, to be named here"
      : undefined,
};
