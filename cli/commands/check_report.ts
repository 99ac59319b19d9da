/**
 * What `check` prints: what is behind the findings, or with `--all` each of them as it is found. There may be millions,
 * so that they are never gathered.
 */
import { causesOf, type Finding, type LinkSurvey, quotePath } from "../../core-as/host/mod.ts";
import type { Console } from "../ui/mod.ts";
import { findingLine, healthOf, surveyJson } from "../ui/describe.ts";

/** What ends the report on an image, beside the surveys of its links. */
export interface CheckEnd {
  readonly sound: boolean;
  /** Further fields of the JSON document. */
  readonly json: Readonly<Record<string, unknown>>;
  /** The same in words. */
  readonly lines: readonly string[];
}

export class CheckReport {
  private images = 0;
  private links = 0;
  private findings = 0;
  private document = "";

  /** @param all Every finding is printed. */
  constructor(
    private readonly console: Console,
    private readonly all: boolean,
    private readonly imageCount: number,
  ) {}

  beginImage(image: string): void {
    this.links = 0;
    if (!this.console.json) return;
    const open = this.imageCount > 1 && this.images === 0 ? "[" : "";
    this.json(`${open}${this.images++ > 0 ? "," : ""}{"image":${JSON.stringify(image)},"links":[`);
  }

  /** Takes the findings of a link as they come. */
  beginLink(path: string): ((finding: Finding) => void) | undefined {
    this.findings = 0;
    const { console } = this;
    if (console.json) {
      this.json(`${this.links++ > 0 ? "," : ""}{"path":${JSON.stringify(path)}`);
      if (this.all) this.json(`,"findings":[`);
    }
    if (!this.all) return undefined;
    return (finding) => {
      if (!console.json) console.out(`${finding.severity} ${finding.kind}: ${findingLine(finding)}`);
      else this.json((this.findings++ > 0 ? "," : "") + JSON.stringify(finding));
    };
  }

  endLink(survey: LinkSurvey): void {
    const { console } = this;
    if (console.json) {
      const { findings, truncated, ...rest } = surveyJson(survey);
      const told = this.all ? { ...rest, truncated: false } : { ...rest, findings, truncated };
      this.json(`${this.all ? "]" : ""},${JSON.stringify(told).slice(1)}`);
      return;
    }
    const { link, findings } = survey;
    const isSound = findings.counts.damage + findings.counts.doubt === 0;
    if (!console.quiet || !isSound) console.out(`${link.path}: ${healthOf(findings)}`);
    if (this.all || (console.quiet && isSound)) return;
    const causes = causesOf(findings);
    for (const { severity, kind, ...cause } of causes) {
      console.out(`  ${severity} ${kind}: ${findingLine(cause)}`);
    }
    if (causes.length < findings.total) {
      console.out(`  regrain check --all ${quotePath(link.path)} lists each`);
    }
  }

  endImage(end: CheckEnd): void {
    if (this.console.json) {
      this.json(`],${JSON.stringify({ sound: end.sound, ...end.json }).slice(1)}`);
      if (this.images < this.imageCount) return;
      if (this.imageCount > 1) this.json("]");
      if (!this.all) this.console.out(this.document);
    } else if (!this.console.quiet || !end.sound) { for (const line of end.lines) this.console.out(line); }
  }

  /** A document is whole or not there, unless it may be too long to be kept. */
  private json(text: string): void {
    if (this.all) this.console.out(text);
    else this.document += text;
  }
}
