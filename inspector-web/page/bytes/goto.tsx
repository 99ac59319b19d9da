/** Which bytes are shown, and the field for a place to go to. */
import { useState } from "preact/hooks";
import { formatOffset, PLACE_FORMS } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";
import { leaveField } from "./leave_field.ts";
import { placeInDisk, placeInFile } from "./places.ts";
import type { HexSource, PageState } from "../model/store.ts";
import { stepWords } from "../model/words.ts";

interface Props {
  readonly state: PageState;
  readonly inspector: Inspector;
  readonly select: (offsetBytes: number) => void;
}

export function Goto({ state, inspector, select }: Props) {
  const [text, setText] = useState("");
  const [reason, setReason] = useState("");
  const { hexSource } = state;
  const files = [...new Set(state.opened?.links.flatMap((link) => link.files.map(({ name }) => name)))];
  const go = async (event: Event) => {
    event.preventDefault();
    try {
      const found = hexSource === "disk"
        ? placeInDisk(inspector, text)
        : await placeInFile(inspector, hexSource.file, text);
      setReason("reason" in found ? found.reason : "");
      if ("offsetBytes" in found) select(found.offsetBytes);
    } catch (error) {
      inspector.fail(error);
    }
  };
  const choose = (value: string) => {
    const source: HexSource = value === "" ? "disk" : { file: value };
    inspector.store.set({ hexSource: source, hexOffsetBytes: 0 });
  };
  return (
    <form class="toolbar" onSubmit={go} onKeyDown={leaveField}>
      <label>
        Show{" "}
        <select
          value={hexSource === "disk" ? "" : hexSource.file}
          data-testid="hex-source"
          onChange={({ currentTarget }) => choose(currentTarget.value)}
        >
          <option value="">the virtual disk</option>
          {files.map((name) => <option key={name} value={name}>file {name}</option>)}
        </select>
      </label>
      <label>
        Go to{" "}
        <input
          id="goto"
          data-testid="hex-goto"
          value={text}
          placeholder={PLACE_FORMS}
          spellcheck={false}
          aria-describedby="goto-reason"
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </label>
      <button type="submit">Go</button>
      <span class="quiet" role="status" data-testid="steps">{stepWords(state.steps)}</span>
      <span class="quiet">at {formatOffset(state.hexOffsetBytes)}</span>
      <span id="goto-reason" class="remark" role="status">{reason}</span>
    </form>
  );
}
