/**
 * The structures of a file as a tree; each node leads to its bytes, and the node that the byte under the cursor belongs
 * to is marked, opened and brought into sight.
 */
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { RefObject } from "preact";
import type { StructureNode } from "../../shared/protocol.ts";
import { formatOffset } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";
import { pathTo } from "../model/structure_path.ts";

export function Structure({ state, inspector }: { state: PageState; inspector: Inspector }) {
  const all = state.opened?.links.flatMap((link) => link.files) ?? [];
  const files = [...new Set(all.map(({ name }) => name))];
  // A descriptor can be read anywhere: a file with tables is what one comes for.
  const first = all.find(({ format }) => format !== "descriptor")?.name ?? files[0];
  const { structure, structureFile, hexSource, hexOffsetBytes } = state;
  const file = structureFile ?? (hexSource === "disk" ? first : hexSource.file);
  const isShown = hexSource !== "disk" && hexSource.file === structureFile;
  const path = useMemo(
    () => structure && isShown ? pathTo(structure, hexOffsetBytes) : [],
    [structure, isShown, hexOffsetBytes],
  );
  const here = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (file !== undefined && structureFile === undefined) void inspector.structure.load(file);
  }, [file, structureFile]);
  // What lies in a branch has a place once that is open.
  useEffect(() => here.current?.scrollIntoView({ block: "nearest" }), [path]);
  return (
    <section data-testid="structure" aria-labelledby="structure-title">
      <h2 id="structure-title">Structure</h2>
      <label class="field">
        File
        <select value={file} onChange={({ currentTarget }) => inspector.structure.load(currentTarget.value)}>
          {files.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
      </label>
      {structure
        ? (
          <ul class="tree">
            <Node node={structure} path={path} here={here} inspector={inspector} isOpen />
          </ul>
        )
        : <p class="quiet">Reading…</p>}
    </section>
  );
}

interface NodeProps {
  readonly node: StructureNode;
  /** From the root to the node that is marked. */
  readonly path: readonly StructureNode[];
  readonly here: RefObject<HTMLLIElement | null>;
  readonly inspector: Inspector;
  readonly isOpen?: boolean;
}

function Node({ node, path, here, inspector, isOpen }: NodeProps) {
  const { label, value, file, offsetBytes, lengthBytes, children } = node;
  const isHere = path.length > 1 && path.at(-1) === node;
  const marks = isHere ? { class: "here", ref: here, "aria-current": "location" as const } : {};
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
      onClick={() => inspector.navigation.showBytes({ file }, offsetBytes)}
    >
      {formatOffset(offsetBytes)}
    </button>
  );
  if (children.length === 0) return <li {...marks}>{words} {link}</li>;
  // What opens a branch can hold no button, so its own bytes are the first thing in it.
  return (
    <li {...marks}>
      <details open={isOpen === true || path.includes(node)}>
        <summary>{words}</summary>
        <ul>
          <li>{lengthBytes} bytes at {link}</li>
          {children.map((child, i) => (
            <Node key={i} node={child} path={path} here={here} inspector={inspector} />
          ))}
        </ul>
      </details>
    </li>
  );
}
