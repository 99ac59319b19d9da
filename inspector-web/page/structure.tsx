/**
 * The structures of a file as a tree; each node leads to its bytes, and the node that the bytes belong to is
 * marked.
 */
import { useEffect } from "preact/hooks";
import type { StructureNode } from "../shared/protocol.ts";
import { formatOffset } from "../shared/units.ts";
import type { Inspector } from "./inspector.ts";
import type { PageState } from "./store.ts";

export function Structure({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const files = [...new Set(state.opened?.links.flatMap((link) => link.files.map(({ name }) => name)))];
  const file = state.structureFile ?? files[0];
  useEffect(() => {
    if (file !== undefined && state.structureFile === undefined) void inspector.loadStructure(file);
  }, [file, state.structureFile]);
  return (
    <section data-testid="structure" aria-labelledby="structure-title">
      <h2 id="structure-title">Structure</h2>
      <label class="field">
        File
        <select value={file} onChange={({ currentTarget }) => inspector.loadStructure(currentTarget.value)}>
          {files.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
      </label>
      {state.structure
        ? (
          <ul class="tree">
            <Node node={state.structure} state={state} inspector={inspector} isOpen />
          </ul>
        )
        : <p class="quiet">Reading…</p>}
    </section>
  );
}

interface NodeProps {
  readonly node: StructureNode;
  readonly state: PageState;
  readonly inspector: Inspector;
  readonly isOpen?: boolean;
}

function Node({ node, state, inspector, isOpen }: NodeProps) {
  const { label, value, file, offsetBytes, lengthBytes, children } = node;
  const at = state.hexSource !== "disk" && state.hexSource.file === file ? state.hexOffsetBytes : -1;
  const isHere = at >= offsetBytes && at < offsetBytes + lengthBytes;
  const words = (
    <>
      <span class="label">{label}</span> <span>{value}</span>
    </>
  );
  const link = (
    <button
      type="button"
      class="link"
      aria-label={`${label}: show bytes at ${formatOffset(offsetBytes)}`}
      onClick={() => inspector.showBytes({ file }, offsetBytes)}
    >
      {formatOffset(offsetBytes)}
    </button>
  );
  if (children.length === 0) return <li class={isHere ? "here" : undefined}>{words} {link}</li>;
  // What opens a branch can hold no button, so its own bytes are the first thing in it.
  return (
    <li class={isHere ? "here" : undefined}>
      <details open={isOpen === true || isHere}>
        <summary>{words}</summary>
        <ul>
          <li>{lengthBytes} bytes at {link}</li>
          {children.map((child, i) => <Node key={i} node={child} state={state} inspector={inspector} />)}
        </ul>
      </details>
    </li>
  );
}
