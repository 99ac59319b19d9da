/** Has Preact show no text of the page but as `model/shown_text.ts` says. */
import { options, type VNode } from "preact";
import { shownText } from "./model/shown_text.ts";

/** Attributes that are read out, or shown in a tip. */
const SPOKEN = ["title", "aria-label", "aria-description", "aria-valuetext", "alt", "placeholder"];

type Props = Record<string, unknown>;

/** Has every text that the page renders pass {@link shownText}. */
export function guardText(): void {
  const before = options.vnode;
  options.vnode = (vnode: VNode) => {
    const node = vnode as { readonly type: unknown; props: Props | string | null };
    // A text that stands by itself is a node without a type, and its props are the text.
    if (typeof node.props === "string") node.props = shownText(node.props);
    else if (typeof node.type === "string" && node.props !== null) guardElement(node.props);
    before?.(vnode);
  };
}

function guardElement(props: Props): void {
  if ("children" in props) props["children"] = guarded(props["children"]);
  for (const name of SPOKEN) {
    const value = props[name];
    if (typeof value === "string") props[name] = shownText(value);
  }
}

/** Texts among the children of an element; what is a list in a list is guarded as its own elements are. */
function guarded(child: unknown): unknown {
  if (typeof child === "string") return shownText(child);
  return Array.isArray(child) ? child.map(guarded) : child;
}
