/**
 * A run as a file of OpenMetrics, for node_exporter's textfile collector and whoever else reads such files.
 *
 * Every name is a gauge of the last run. When it last went well survives runs that fail, so that an alarm can be set
 * on its age.
 */
import { snakeCase } from "./names.ts";
import type { RunFacts } from "./run_facts.ts";

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

/** No file of figures comes near it: more is read of no file. */
export const MAX_METRICS_BYTES = 1024 * 1024;

/** Whether a text may be replaced by figures: there is none yet, or it is what a run before wrote. */
export function isMetricsText(text: string): boolean {
  return text === "" || text.startsWith("# HELP regrain_");
}

/**
 * The text of the file.
 *
 * @param before What stands in the file now.
 */
export function metricsText(facts: RunFacts, before: string | undefined): string {
  const { operation, name, exit, startedMs, elapsedMs } = facts;
  const labels = `{operation="${escapeLabel(operation)}",name="${escapeLabel(name)}"}`;
  const endedSeconds = (startedMs + elapsedMs) / 1000;
  const succeeded = exit === 0 ? endedSeconds : lastSuccess(before, labels);
  const metrics: Metric[] = [
    { name: "last_run_timestamp_seconds", help: "When the last run ended.", value: endedSeconds },
    { name: "last_run_duration_seconds", help: "How long the last run took.", value: elapsedMs / 1000 },
    { name: "last_run_success", help: "1 when the last run went well.", value: exit === 0 ? 1 : 0 },
    { name: "last_run_exit_status", help: "Exit status of the last run.", value: exit },
    ...Object.entries(facts.figures).map(([figure, value]) => ({
      name: `last_run_${snakeCase(figure)}`,
      help: `${snakeCase(figure).replaceAll("_", " ")} of the last run.`,
      value,
    })),
  ];
  if (succeeded !== undefined) {
    metrics.push({
      name: SUCCESS,
      help: "When a run last went well.",
      value: succeeded,
    });
  }
  const lines = metrics.flatMap((metric) => [
    `# HELP regrain_${metric.name} ${metric.help}`,
    `# TYPE regrain_${metric.name} gauge`,
    `regrain_${metric.name}${labels} ${metric.value}`,
  ]);
  return `${lines.join("\n")}\n# EOF\n`;
}

const SUCCESS = "last_success_timestamp_seconds";

function lastSuccess(before: string | undefined, labels: string): number | undefined {
  const start = `regrain_${SUCCESS}${labels} `;
  const line = before?.split("\n").find((each) => each.startsWith(start));
  const seconds = Number(line?.slice(start.length) || NaN);
  return Number.isFinite(seconds) ? seconds : undefined;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
