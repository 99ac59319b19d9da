/** What one leaves with: the run list, the picture, the command, a link. */
import { useState } from "preact/hooks";
import type { Inspector } from "./inspector.ts";
import { hashOf, type PageState } from "./store.ts";
import { viewName } from "./words.ts";

export function TakeAway({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const { opened, view, tab } = state;
  const [copied, setCopied] = useState("");
  if (!opened) return null;
  const stem = viewName(opened, view).replace(/\.[^.]*$/, "").replaceAll(" ", "-");
  const list = async (format: "json" | "csv") => {
    try {
      const { blob } = await inspector.client.ask({ type: "export", view, format });
      save(blob, `${stem}.map.${format}`);
    } catch (error) {
      inspector.fail(error);
    }
  };
  const picture = async () => {
    const blob = await inspector.map?.toPng();
    if (blob) save(blob, `${stem}.map.png`);
  };
  const copy = (text: string, what: string) =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(`${what} copied`),
      (error) => inspector.fail(error),
    );
  return (
    <section aria-labelledby="take-title">
      <h2 id="take-title">Take away</h2>
      <p class="toolbar">
        <button type="button" data-testid="export-json" onClick={() => list("json")}>Runs as JSON</button>
        <button type="button" data-testid="export-csv" onClick={() => list("csv")}>Runs as CSV</button>
        {tab === "map" && (
          <button type="button" data-testid="export-png" onClick={picture}>
            Map as PNG
          </button>
        )}
        <button type="button" onClick={() => copy(`${location.href.split("#")[0]}#${hashOf(state)}`, "link")}>
          Copy link to this view
        </button>
      </p>
      {opened.command !== undefined && (
        <p class="command">
          <code data-testid="command" tabIndex={0}>{opened.command}</code>{" "}
          <button type="button" onClick={() => copy(opened.command ?? "", "command")}>Copy command</button>
        </p>
      )}
      <p class="quiet" role="status">{copied}</p>
    </section>
  );
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
