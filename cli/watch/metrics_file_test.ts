import assert from "node:assert/strict";
import { hookEnvironment } from "./hook.ts";
import { metricsText } from "./metrics_file.ts";
import type { RunFacts } from "./run_facts.ts";

const FACTS: RunFacts = {
  operation: "backup",
  name: 'web "01"\\x',
  repository: "/backups",
  snapshot: undefined,
  exit: 0,
  error: undefined,
  startedMs: 1_000_000,
  elapsedMs: 2_500,
  figures: { readBytes: 5 },
};

Deno.test("names in labels cannot break out of them", () => {
  const text = metricsText(FACTS, undefined);
  assert.match(text, /^regrain_last_run_read_bytes\{operation="backup",name="web \\"01\\"\\\\x"\} 5$/m);
  assert.match(text, /_last_run_duration_seconds\{.*\} 2\.5$/m);
});

Deno.test("a run that failed keeps when one last went well, of its own name alone", () => {
  const before = metricsText(FACTS, undefined);
  const failed = { ...FACTS, exit: 7, startedMs: 9_000_000 };
  assert.match(metricsText(failed, before), /^regrain_last_success_timestamp_seconds\{.*\} 1002\.5$/m);
  assert.doesNotMatch(metricsText({ ...failed, name: "other" }, before), /last_success/);
  assert.doesNotMatch(metricsText(failed, undefined), /last_success/);
});

Deno.test("a hook gets every figure by a name of capitals", () => {
  const environment = hookEnvironment({ ...FACTS, exit: 7, error: { code: "NO_SPACE", message: "full" } });
  assert.equal(environment.REGRAIN_READ_BYTES, "5");
  assert.equal(environment.REGRAIN_STATUS, "failed");
  assert.equal(environment.REGRAIN_ERROR, "NO_SPACE");
  assert.equal(environment.REGRAIN_SNAPSHOT, "");
});
