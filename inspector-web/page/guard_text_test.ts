/** Text on its way into the document. */
import assert from "node:assert/strict";
import { h, options } from "preact";
import { guardText } from "./guard_text.ts";
import { shownText } from "./model/shown_text.ts";

const EVIL = "a\u202egpj.exe\u2066\u009b";
const SHOWN = String.raw`a\u202egpj.exe\u2066\u009b`;

Deno.test("E7: text and spoken attributes of the page show what turns the direction of writing", () => {
  const before = options.vnode;
  try {
    guardText();
    const { props } = h("td", { title: EVIL, class: "x", "data-path": EVIL }, EVIL, 7, [
      EVIL,
      h("b", null, EVIL),
    ]);
    const { children, ...rest } = props as unknown as { children: unknown[] };
    assert.deepEqual(rest, { title: SHOWN, class: "x", "data-path": EVIL });
    const [text, number, [nested, bold]] = children as [string, number, [string, { props: unknown }]];
    assert.deepEqual([text, number, nested, bold.props], [SHOWN, 7, SHOWN, { children: SHOWN }]);
    const passed = (h((() => null) as never, { name: EVIL } as never).props as { name?: unknown }).name;
    assert.equal(passed, EVIL, "a component gets the name itself");
  } finally {
    if (before === undefined) delete (options as { vnode?: unknown }).vnode;
    else options.vnode = before;
  }
});

Deno.test("E7: lines of text stay lines", () => {
  assert.equal(shownText("a\nb\u2028c"), "a\nb\\u2028c");
});
