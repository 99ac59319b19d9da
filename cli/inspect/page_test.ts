import assert from "node:assert/strict";
import built from "../../inspector-web/dist/inspector.html" with { type: "text" };
import { type Served, servePage } from "./page.ts";

const NOTHING: Served = { images: [], open: [] };
const META =
  `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; connect-src 'none'; img-src data:">`;
const SCRIPT = '<script type="application/json" id="served">null</script>';

function image(name: string): Served {
  return { images: [{ name, path: "0/x", sizeBytes: 123, modifiedMs: null }], open: [name] };
}

/** What a page reads as, by the rule of browsers: a script ends at the first `</script`, whatever stands in it. */
function readServed(html: string): unknown {
  const start = html.indexOf('id="served">') + 'id="served">'.length;
  return JSON.parse(html.slice(start, html.toLowerCase().indexOf("</script", start)));
}

Deno.test("the built page can be served: it has one policy and one place for what is served", () => {
  const { html, policy } = servePage(built, image("vm.vmdk"));
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /connect-src 'self'/);
  assert.doesNotMatch(policy, /connect-src 'none'|[^\x20-\x7e]/);
  assert.deepEqual(readServed(html), image("vm.vmdk"));
  assert.equal(html.length - built.length, JSON.stringify(image("vm.vmdk")).length - "null".length);
});

Deno.test("the policy of the page and of the header are the same, and let the page ask this server alone", () => {
  const { html, policy } = servePage(`<head>${META}${SCRIPT}</head>`, NOTHING);
  assert.equal(policy, "default-src 'none'; connect-src 'self'; img-src data:");
  assert.equal(
    html,
    `<head>${META.replace("connect-src 'none'", "connect-src 'self'")}` +
      `${SCRIPT.replace("null", '{"images":[],"open":[]}')}</head>`,
  );
});

Deno.test("no file name ends the script it stands in, and each is read back as it was", () => {
  const before = servePage(META + SCRIPT, image("vm")).html;
  const names = [
    "</script><script>alert(1)</script>",
    "</SCRIPT\t>",
    "<!--<script>",
    "-->",
    "$&$1$'$`",
    '"},"x":{"',
    "\u2028\u2029",
    "\ud800",
    "&lt;",
    "\\u003c/script>",
    "\n\r\0",
    "connect-src 'none'",
    SCRIPT,
    META,
  ];
  for (const name of names) {
    const { html, policy } = servePage(META + SCRIPT, image(name));
    assert.deepEqual(readServed(html), image(name), name);
    assert.equal(html.match(/<\/?script/gi)?.length, before.match(/<\/?script/gi)?.length, name);
    assert.doesNotMatch(html, /<!--|\u2028/);
    assert.equal(policy, "default-src 'none'; connect-src 'self'; img-src data:");
  }
});

Deno.test("a page that was built otherwise is not served at all", () => {
  const wrong = {
    "without a policy": SCRIPT,
    "with two policies": META + META + SCRIPT,
    "with a policy that has nothing to replace": META.replace("connect-src", "img-src") + SCRIPT,
    "without a place": META,
    "with two places": META + SCRIPT + SCRIPT,
    "with a place that is taken": META + SCRIPT.replace("null", "{}"),
  };
  for (const [what, page] of Object.entries(wrong)) {
    assert.throws(() => servePage(page, NOTHING), Error, what);
  }
});
