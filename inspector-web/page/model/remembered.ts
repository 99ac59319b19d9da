/**
 * What the user chose and is asked for once: theme, curve and speed. Never anything of a file.
 */
import type { PageState, Store } from "./store.ts";

/** The part of `Storage` that is needed. */
export type Keep = Pick<Storage, "getItem" | "setItem">;

type Choices = Pick<PageState, "theme" | "curve" | "speedMbps">;

const NAME = "regrain inspector";
const MAX_SPEED_MBPS = 100_000;

/** Keeps nothing: where a browser gives a page no storage, choices last as long as the page. */
export const FORGETFUL: Keep = { getItem: () => null, setItem: () => undefined };

/** The browser's storage, or {@link FORGETFUL} where that is refused, as it may be for a page of `file://`. */
export function openKeep(storageOf: () => Keep | null | undefined = () => globalThis.localStorage): Keep {
  try {
    const storage = storageOf() ?? FORGETFUL;
    storage.getItem(NAME);
    return storage;
  } catch (error) {
    if (error instanceof DOMException) return FORGETFUL;
    throw error;
  }
}

/** What was chosen; anything that makes no sense is left out, since anybody can write there. */
export function readChoices(kept: Keep): Partial<Choices> {
  const fields = new URLSearchParams(kept.getItem(NAME) ?? "");
  const [theme, curve, speed] = [fields.get("theme"), fields.get("curve"), Number(fields.get("speed"))];
  return {
    ...((theme === "light" || theme === "dark") && { theme }),
    ...((curve === "rows" || curve === "hilbert") && { curve }),
    ...(Number.isInteger(speed) && speed > 0 && speed <= MAX_SPEED_MBPS && { speedMbps: speed }),
  };
}

/** Writes choices down as they change. */
export function keepChoices(store: Store, kept: Keep): void {
  let last = textOf(store.state);
  let isFull = false;
  store.subscribe(() => {
    const text = textOf(store.state);
    if (text === last || isFull) return;
    last = text;
    try {
      kept.setItem(NAME, text);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      isFull = true;
    }
  });
}

function textOf({ theme, curve, speedMbps }: Choices): string {
  return new URLSearchParams({ ...(theme && { theme }), curve, speed: String(speedMbps) }).toString();
}
