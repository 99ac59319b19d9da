/** What a build is made of; `regrain --version -v` shows it. */
import { type BuildFacts, sourceFacts } from "../build_facts.ts";

/** A line that goes before everything else in what is shipped. */
export function factsLine(): string {
  const facts: BuildFacts = sourceFacts();
  return `globalThis.REGRAIN_BUILD = ${JSON.stringify(facts)};`;
}
