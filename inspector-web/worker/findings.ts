/** Everything the tables of all links say that cannot be. */
import { surveyLink } from "../../core-as/host/mod.ts";
import type { Answers, FindingFact } from "../shared/protocol.ts";
import type { Bench } from "./bench.ts";

/** A survey cannot be cut into steps, so it is made on a bench of its own. */
export async function findingsOf({ chain, kernels }: Bench): Promise<Answers["findings"]> {
  const findings: FindingFact[] = [];
  const counts = { damage: 0, doubt: 0, note: 0 };
  for (const link of chain.links) {
    const survey = await kernels.lock.run(() => surveyLink(kernels.core, link, { overlaps: true }));
    for (const severity of ["damage", "doubt", "note"] as const) {
      counts[severity] += survey.findings.counts[severity];
    }
    for (const { severity, kind, path, offsetBytes, message } of survey.findings.kept) {
      findings.push({ severity, kind, file: path, offsetBytes, message });
    }
  }
  return { findings, counts };
}
