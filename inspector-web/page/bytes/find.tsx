/** Looks for bytes or text in the data of the virtual disk, from the cursor on. */
import { useState } from "preact/hooks";
import type { Inspector } from "../actions/inspector.ts";
import { leaveField } from "./leave_field.ts";
import { PATTERN_KINDS, type PatternKind, patternsOf } from "./pattern.ts";
import type { PageState } from "../model/store.ts";

export function Find({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const [text, setText] = useState("");
  const [kind, setKind] = useState<PatternKind>("text");
  const [reason, setReason] = useState("");
  const { running, searched, message } = state.search;
  const find = (event: Event) => {
    event.preventDefault();
    const patterns = patternsOf(text, kind);
    setReason("reason" in patterns ? patterns.reason : "");
    if (!("reason" in patterns)) void inspector.work.search(patterns);
  };
  const leave = (event: KeyboardEvent) => {
    if (leaveField(event) && running) inspector.work.stopSearch();
  };
  return (
    <form class="toolbar" role="search" onSubmit={find} onKeyDown={leave}>
      <label>
        Find{" "}
        <input
          id="find"
          data-testid="hex-find"
          value={text}
          placeholder={kind === "hex" ? "45 46 49" : "ASCII or UTF-16"}
          spellcheck={false}
          aria-describedby="find-state"
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </label>
      <label>
        as{" "}
        <select
          value={kind}
          data-testid="hex-find-kind"
          onChange={({ currentTarget }) => setKind(currentTarget.value === "hex" ? "hex" : "text")}
        >
          {Object.entries(PATTERN_KINDS).map(([name, words]) => (
            <option key={name} value={name}>{words}</option>
          ))}
        </select>
      </label>
      {running
        ? (
          <>
            <button type="button" onClick={() => inspector.work.stopSearch()}>Cancel</button>
            <progress
              aria-label="Searched"
              max={searched?.totalBytes ?? 1}
              value={searched?.doneBytes ?? 0}
            />
          </>
        )
        : <button type="submit">Find next</button>}
      <span id="find-state" data-testid="find-state" class={reason ? "remark" : "quiet"} role="status">
        {reason || (running ? "searching the data…" : message)}
      </span>
    </form>
  );
}
