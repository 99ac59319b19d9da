/** The places that one command line names. */
import type { Files } from "../../core-as/host/mod.ts";
import type { Need, Place, PlaceTools } from "./place.ts";
import { findPlace } from "./registry.ts";

export class Places {
  private readonly named = new Map<string, Place>();

  constructor(private readonly tools: PlaceTools) {}

  /**
   * Takes a name that the user has given for an argument. From now on {@link over} opens it as what it means.
   *
   * @throws {RegrainError} `USAGE`: see {@link findPlace}.
   */
  take(name: string, need: Need): Place {
    const place = findPlace(name, need);
    this.named.set(name, place);
    return place;
  }

  /** True when two places are one: the same file under two names, or the same snapshot. */
  isSame(a: Place, b: Place): boolean {
    return a.kind === b.kind && a.isSame?.(b, this.tools) === true;
  }

  /** The files, and beside them what is no file and was named. A name inside a file never means anything else. */
  over(files: Files): Files {
    const beside = (path: string) => {
      const place = this.named.get(path);
      return place?.kind.scheme === undefined ? undefined : place;
    };
    return {
      open: (path, bounds) => beside(path)?.openSource?.(this.tools, bounds) ?? files.open(path, bounds),
      exists: (path) => beside(path) === undefined && files.exists(path),
      realPath: (path) => beside(path) === undefined ? files.realPath(path) : path,
      list: (folder) => files.list(folder),
    };
  }
}
