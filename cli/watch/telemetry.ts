/**
 * Traces and metrics by OpenTelemetry, sent by Deno's own exporter. Nothing is loaded unless `OTEL_DENO` turns that
 * exporter on; what it sends, and where to, is said by the usual variables `OTEL_*`.
 */
import type { Figures, RunFacts } from "./run_facts.ts";
import { snakeCase } from "./names.ts";
import { variable } from "../environment.ts";

/** The trace of one run: a span for the whole, one for each phase of it. */
export interface Telemetry {
  /** Ends the phase before, and begins the next. */
  phase(name: string): void;
  /** Ends the last phase and the run. */
  end(facts: RunFacts): void;
}

const SILENT: Telemetry = { phase: () => undefined, end: () => undefined };
const SCOPE = "regrain";

function isOn(): boolean {
  return /^(true|1)$/.test(variable("OTEL_DENO") ?? "");
}

/** @param operation `backup`, `restore`. */
export async function startTelemetry(operation: string, version: string): Promise<Telemetry> {
  if (!isOn()) return SILENT;
  const api = await import("@opentelemetry/api");
  // Bundled, it is a module of the old kind, all of which is its default.
  const { context, metrics, SpanStatusCode, trace } = api.trace === undefined
    ? (api as unknown as { default: typeof api }).default
    : api;
  const tracer = trace.getTracer(SCOPE, version);
  const meter = metrics.getMeter(SCOPE, version);
  const run = tracer.startSpan(`regrain ${operation}`);
  const within = trace.setSpan(context.active(), run);
  let phase: ReturnType<typeof tracer.startSpan> | undefined;
  const count = (figures: Figures, about: Record<string, string>) => {
    for (const [figure, value] of Object.entries(figures)) {
      const unit = figure.endsWith("Bytes") ? "By" : "1";
      meter.createCounter(`regrain.${snakeCase(figure)}`, { unit }).add(value, about);
    }
  };
  return {
    phase(name) {
      phase?.end();
      phase = tracer.startSpan(name, {}, within);
    },
    end(facts) {
      const about = { "regrain.operation": operation, "regrain.name": facts.name };
      phase?.end();
      run.setAttributes({ ...about, "regrain.exit": facts.exit, "regrain.snapshot": facts.snapshot ?? "" });
      for (const [figure, value] of Object.entries(facts.figures)) {
        run.setAttribute(`regrain.${snakeCase(figure)}`, value);
      }
      if (facts.error !== undefined) {
        run.setStatus({ code: SpanStatusCode.ERROR, message: `${facts.error.code}: ${facts.error.message}` });
      }
      run.end();
      count(facts.figures, about);
      meter.createCounter("regrain.runs", { unit: "1" }).add(1, {
        ...about,
        "regrain.exit": String(facts.exit),
      });
      meter.createHistogram("regrain.duration", { unit: "s" }).record(facts.elapsedMs / 1000, about);
    },
  };
}
