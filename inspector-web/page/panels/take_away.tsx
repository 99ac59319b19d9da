/** What one leaves with: the run list, the picture, the command, a link. */
import { useState } from "preact/hooks";
import type { Inspector } from "../actions/inspector.ts";
import { judgementOf } from "./judgement.tsx";
import { hashOf, type PageState } from "../model/store.ts";
import { viewName } from "../model/words.ts";

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
      <Command state={state} copy={copy} />
      <p class="quiet" role="status">{copied}</p>
    </section>
  );
}

/** The command, where it is known to work; else the reason why there is none. */
function Command({ state, copy }: { state: PageState; copy: (text: string, what: string) => void }) {
  const { command, reason } = commandOf(state);
  if (command === undefined) {
    return reason === undefined ? null : <p class="command" data-testid="no-command">{reason}</p>;
  }
  return (
    <>
      <p class="command">
        <code data-testid="command" tabIndex={0}>{command}</code>{" "}
        <button type="button" onClick={() => copy(command, "command")}>Copy command</button>
      </p>
      {/ TARGET\b/.test(command) && (
        <p class="quiet">
          TARGET is what it is written to: an image or a block device with a copy of the base.
        </p>
      )}
    </>
  );
}

function commandOf(state: PageState): { readonly command?: string | undefined; readonly reason?: string } {
  const { opened, findings } = state;
  if (opened?.restore !== undefined) {
    const damaged = findings?.findings.find(({ severity }) => severity === "damage");
    if (!damaged) return { command: opened.restore };
    return { reason: `No command: the snapshot is damaged and would not be restored: ${damaged.message}` };
  }
  const judgement = judgementOf(state);
  if (!judgement || judgement.state === "nothing") return {};
  const [refusal] = judgement.refusals;
  if (refusal) return { reason: `No command: regrain apply refuses it. ${refusal.message}` };
  if (!judgement.isFinal) return { reason: "The command is shown when all tables have been checked." };
  const [against] = judgement.against;
  if (against !== undefined) return { reason: `No command: this is likely another base. ${against}` };
  return { command: judgement.command };
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
