/** From the whole file down to the part that a byte belongs to. */
import type { StructureNode } from "../../shared/protocol.ts";

/** Nodes that hold a byte, each inside the one before; empty when the byte is outside. */
export function pathTo(root: StructureNode, offsetBytes: number): readonly StructureNode[] {
  if (!holds(root, offsetBytes)) return [];
  const path = [root];
  for (let node: StructureNode | undefined = root; node; node = narrowest(node, offsetBytes)) {
    if (node !== root) path.push(node);
  }
  return path;
}

/**
 * The child that leads to the least that holds a byte. A table stands in the tree below the directory entry that names
 * it, and in the file elsewhere: children of children count.
 */
function narrowest(node: StructureNode, offsetBytes: number): StructureNode | undefined {
  let best: { node: StructureNode; lengthBytes: number } | undefined;
  for (const child of node.children) {
    const lengthBytes = leastOf(child, offsetBytes);
    if (lengthBytes < (best?.lengthBytes ?? Infinity)) best = { node: child, lengthBytes };
  }
  return best?.node;
}

/** Length of the least part at or below a node that holds a byte; infinite where none does. */
function leastOf(node: StructureNode, offsetBytes: number): number {
  const below = node.children.map((child) => leastOf(child, offsetBytes));
  return Math.min(holds(node, offsetBytes) && !isRest(node) ? node.lengthBytes : Infinity, ...below);
}

function holds({ offsetBytes: start, lengthBytes }: StructureNode, offsetBytes: number): boolean {
  return offsetBytes >= start && offsetBytes < start + lengthBytes;
}

/** A node that stands for entries that are not shown. */
function isRest({ label }: StructureNode): boolean {
  return label.startsWith("…");
}

/** The path as people read it, without the file itself. */
export function pathWords(path: readonly StructureNode[]): string {
  const last = path.at(-1);
  if (!last || path.length < 2) return "";
  const value = last.value === "" || last.children.length > 0 ? "" : ` = ${last.value}`;
  return `${path.slice(1).map(({ label }) => label).join(" › ")}${value}`;
}
