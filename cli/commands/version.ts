/** `regrain --version -v`: which build this is, and what it is made of. */
import { buildFacts } from "../build_facts.ts";
import { type CommonFlags, Console, layoutPairs } from "../ui/mod.ts";
import { LEAST_DENO } from "../version.ts";

export function runVersion(flags: CommonFlags): number {
  const facts = buildFacts();
  const { deno, v8 } = Deno.version;
  const libraries = Object.entries(facts.libraries).map(([name, version]) => `${name} ${version}`);
  const rows: [string, string][] = [
    ["regrain", facts.version],
    ["commit", facts.commit ?? "unknown"],
    ["Deno", `${deno} (V8 ${v8}); ${LEAST_DENO} or newer is needed`],
    ["system", Deno.build.target],
    ...libraries.map((library, i): [string, string] => [i === 0 ? "libraries" : "", library]),
  ];
  const console = new Console(flags);
  console.result(
    { ...facts, deno, v8, leastDeno: LEAST_DENO, target: Deno.build.target },
    ...layoutPairs(rows),
  );
  console.flush();
  return 0;
}
