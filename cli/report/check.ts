/**
 * What `check` prints: what is behind the findings, or with `--all` each of them as it is found. There may be millions,
 * so that they are never gathered.
 */
import {
  causesOf,
  type Finding,
  type Judgement,
  type LinkSurvey,
  quotePath,
} from "../../core-as/host/mod.ts";
import { findingLine, healthOf, surveyJson, verdictLine } from "../ui/describe.ts";
import { judgementJson, judgementLines } from "../ui/describe_judgement.ts";
import type { Console } from "../ui/mod.ts";

/** What ends the report on an image, beside the surveys of its links. */
export interface CheckEnd {
  readonly sound: boolean;
  readonly judgement: Judgement;
  /** The image is a chain: whether it can be applied means something. */
  readonly chain: boolean;
}

export interface CheckReport {
  image(image: string): void;
  /** @returns what takes the findings as they come; undefined where none of them is printed by itself. */
  link(path: string): ((finding: Finding) => void) | undefined;
  linkDone(survey: LinkSurvey): void;
  imageDone(end: CheckEnd): void;
}

/** @param what `all`: every finding is printed. */
export function checkReport(console: Console, what: { all: boolean; imageCount: number }): CheckReport {
  return console.json ? new JsonCheckReport(console, what) : new TextCheckReport(console, what);
}

class TextCheckReport implements CheckReport {
  constructor(private readonly console: Console, private readonly what: { all: boolean }) {}

  image(): void {}

  link(): ((finding: Finding) => void) | undefined {
    if (!this.what.all) return undefined;
    return (finding) => this.console.out(`${finding.severity} ${finding.kind}: ${findingLine(finding)}`);
  }

  linkDone({ link, findings }: LinkSurvey): void {
    const { console } = this;
    const isSound = findings.counts.damage + findings.counts.doubt === 0;
    if (!console.quiet || !isSound) console.out(`${link.path}: ${healthOf(findings)}`);
    if (this.what.all || (console.quiet && isSound)) return;
    const causes = causesOf(findings);
    for (const { severity, kind, ...cause } of causes) {
      console.out(`  ${severity} ${kind}: ${findingLine(cause)}`);
    }
    if (causes.length < findings.total) {
      console.out(`  regrain check --all ${quotePath(link.path)} lists each`);
    }
  }

  imageDone({ sound, judgement, chain }: CheckEnd): void {
    const { console } = this;
    if (console.quiet && sound) return;
    for (const verdict of judgement.verdicts) {
      console.out(`${verdict.child} on ${verdict.parent}: ${verdictLine(verdict)}`);
    }
    if (chain) { for (const line of judgementLines(judgement)) console.out(`apply: ${line}`); }
  }
}

class JsonCheckReport implements CheckReport {
  private images = 0;
  private links = 0;
  private findings = 0;
  private document = "";

  constructor(
    private readonly console: Console,
    private readonly what: { all: boolean; imageCount: number },
  ) {}

  image(image: string): void {
    this.links = 0;
    const open = this.what.imageCount > 1 && this.images === 0 ? "[" : "";
    this.add(`${open}${this.images++ > 0 ? "," : ""}{"image":${JSON.stringify(image)},"links":[`);
  }

  link(path: string): ((finding: Finding) => void) | undefined {
    this.findings = 0;
    this.add(`${this.links++ > 0 ? "," : ""}{"path":${JSON.stringify(path)}`);
    if (!this.what.all) return undefined;
    this.add(`,"findings":[`);
    return (finding) => this.add((this.findings++ > 0 ? "," : "") + JSON.stringify(finding));
  }

  linkDone(survey: LinkSurvey): void {
    const { all } = this.what;
    const { findings, truncated, ...rest } = surveyJson(survey);
    const told = all ? { ...rest, truncated: false } : { ...rest, findings, truncated };
    this.add(`${all ? "]" : ""},${JSON.stringify(told).slice(1)}`);
  }

  imageDone({ sound, judgement }: CheckEnd): void {
    const { imageCount, all } = this.what;
    const end = { sound, verdicts: judgement.verdicts, judgement: judgementJson(judgement) };
    this.add(`],${JSON.stringify(end).slice(1)}`);
    if (this.images < imageCount) return;
    if (imageCount > 1) this.add("]");
    if (!all) this.console.out(this.document);
  }

  /** A document is whole or not there, unless it may be too long to be kept. */
  private add(text: string): void {
    if (this.what.all) this.console.out(text);
    else this.document += text;
  }
}
