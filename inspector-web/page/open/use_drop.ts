/** What is dropped or pasted. */
import { useEffect, useRef, useState } from "preact/hooks";
import { fromTransfer, type Transferred } from "./given_files.ts";

/** Takes drops and pastes anywhere on the page; true while something is held over it. */
export function useDrop(take: (taken: Transferred) => void): boolean {
  const [isOver, setOver] = useState(false);
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    let depth = 0;
    addEventListener("dragenter", () => setOver(++depth > 0), { signal });
    addEventListener("dragleave", () => setOver((depth = Math.max(0, depth - 1)) > 0), { signal });
    addEventListener("dragover", (event) => event.preventDefault(), { signal });
    addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      setOver(false);
      if (event.dataTransfer) latest.current(fromTransfer(event.dataTransfer));
    }, { signal });
    addEventListener("paste", (event) => {
      if (event.clipboardData?.files.length) latest.current(fromTransfer(event.clipboardData));
    }, { signal });
    return () => stop.abort();
  }, []);
  return isOver;
}
