/** What is told of the disk as a whole, its parts and its damage; looked for once, and kept. */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { Answers, JudgementFacts, Notice, View } from "../shared/protocol.ts";
import {
  areaAnswer,
  labelOf,
  type ReadSurvey,
  surveyAreas,
  unknownAreas,
  walkedTotals,
} from "./guest/areas.ts";
import { Bench, type KernelSet } from "./disk/bench.ts";
import { NO_JUDGEMENT } from "./judgement/facts.ts";
import { type ChainSurvey, surveyChain } from "./judgement/findings.ts";
import { finalJudgement } from "./judgement/judgement.ts";
import { scannedTotals } from "./map/scanned_totals.ts";
import type { LongWork } from "./long_work.ts";
import type { OpenDisk } from "./open_disk.ts";

export class Surveys {
  private guest: Promise<ReadSurvey> | undefined;
  /** The same when it is there: nobody waits for it to learn the name of an area. */
  private known: ReadSurvey | undefined;
  private surveyed: Promise<{ bench: Bench; survey: ChainSurvey }> | undefined;
  private judged: Promise<JudgementFacts> | undefined;
  private marks: Promise<void> | undefined;

  constructor(
    private readonly disk: OpenDisk,
    private readonly work: LongWork,
    private readonly kernels: KernelSet,
    private readonly tell: (notice: Notice) => void,
  ) {}

  async areas(view: View): Promise<Answers["areas"]> {
    const { map, scans } = this.disk;
    if (map) {
      const unknown = unknownAreas(map);
      return areaAnswer(unknown, await walkedTotals(unknown, map), { isWhole: false, mapOnly: true });
    }
    const bench = await this.work.bench();
    const merged = bench.view("merged");
    this.guest ??= surveyAreas(merged);
    const known = this.known = await this.guest;
    const scan = scans.known(view);
    const isScanned = scan && (scan.finished || scan.isRunning);
    const totals =
      await (isScanned ? scannedTotals(known.areas, scan) : walkedTotals(known, bench.view(view)));
    return areaAnswer(known, totals, { isWhole: merged.disk.isWhole, mapOnly: false });
  }

  /** Name of the area that a byte of the disk is in, where it is known already. */
  areaAt(offsetBytes: number): string | undefined {
    const area = this.known?.areas.find((each) => offsetBytes < each.startBytes + each.lengthBytes);
    return area && labelOf(area);
  }

  async findings(): Promise<Answers["findings"]> {
    const { map, snapshot } = this.disk;
    if (map) return { findings: [], counts: { damage: 0, doubt: 0, note: 0 } };
    if (snapshot) {
      // Marks are looked for once; what is found by reading is added as it is found.
      await (this.marks ??= snapshot.placeMarks());
      return snapshot.findings();
    }
    return (await (this.surveyed ??= this.survey())).survey.answer;
  }

  /** Whether the deltas can be applied: what that needs is looked for once. */
  async judgement(): Promise<JudgementFacts> {
    const { map, snapshot } = this.disk;
    if (map || snapshot) return NO_JUDGEMENT;
    return await (this.judged ??= this.judge());
  }

  private async judge(): Promise<JudgementFacts> {
    const surveyed = await (this.surveyed ??= this.survey());
    return await finalJudgement(await this.work.bench(), surveyed);
  }

  /** No table says what cannot be unpacked: from now on the map and the bytes show it. */
  private async showDamage(surveyed: Bench): Promise<void> {
    const { bench, scans, life } = this.disk;
    if (!bench?.learnDamage(surveyed)) return;
    (await this.work.bench()).learnDamage(surveyed);
    if (life.ended) return;
    scans.forget();
    this.tell({ notice: "damaged" });
  }

  /** A survey reads all that a scan reads: it waits for that, and what is seen first is there first. */
  private async survey(): Promise<{ bench: Bench; survey: ChainSurvey }> {
    const { scans, plan, files, life } = this.disk;
    await scans.idle();
    if (!plan || life.ended) throw new RegrainError("USAGE", "nothing is open");
    const bench = await Bench.open(this.kernels.survey, plan, files);
    const survey = await surveyChain(bench, (surveyed) => {
      if (!life.ended) this.tell({ notice: "surveyed", surveyed });
    });
    await this.showDamage(bench);
    return { bench, survey };
  }
}
