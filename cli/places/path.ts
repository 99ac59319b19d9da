/** A path: a file or a block device of this machine. */
import { type LocalSource, sameStorage } from "../io/mod.ts";
import type { Place, PlaceKind } from "./place.ts";

export const PATH: PlaceKind = {
  form: "a path",
  noun: "a file or device of this machine",
  can: ["read", "write", "delta"],
  find: (name): Place => ({
    kind: PATH,
    name,
    openSource: ({ io }, bounds) => io.openSource(name, bounds),
    isSame(other, { io }) {
      const open = (path: string): LocalSource["identity"] => {
        const source = io.openSource(path);
        source.close();
        return source.identity;
      };
      return sameStorage(open(name), open(other.name));
    },
  }),
};
