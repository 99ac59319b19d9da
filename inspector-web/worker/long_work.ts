/** Work on the open disk that takes long. Of each kind the one that was asked for last runs, and earlier ones end. */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { Answers, Compared, Notice, Request, Searched, View } from "../shared/protocol.ts";
import { Bench, type KernelSet } from "./disk/bench.ts";
import { Comparison } from "./answers/compare.ts";
import { ChangeFinder, type Skips } from "./answers/next_change.ts";
import { type OpenDisk, requiredBench, requiredSnapshot } from "./open_disk.ts";
import { Search } from "./answers/search.ts";

export class LongWork {
  /** Opened when it is needed first, and kept. */
  private opened: Promise<Bench> | undefined;
  private comparisons = 0;
  private searches = 0;
  private checks = 0;
  private steps = 0;

  constructor(
    private readonly disk: OpenDisk,
    private readonly kernels: KernelSet,
    private readonly tell: (notice: Notice) => void,
  ) {}

  /** The same links on the second kernels. */
  bench(): Promise<Bench> {
    const { plan, files } = this.disk;
    if (!plan) throw new RegrainError("USAGE", "only a map is open: there are no bytes to look at");
    return this.opened ??= Bench.open(this.kernels.slow, plan, files);
  }

  async search(view: View, fromBytes: number, patterns: readonly Uint8Array[]): Promise<Answers["search"]> {
    const turn = ++this.searches;
    const bench = await this.bench();
    const tell = (searched: Searched) => this.tell({ notice: "searched", searched });
    return await new Search(bench.view(view), patterns, tell)
      .run(fromBytes, () => turn === this.searches && !this.disk.life.ended);
  }

  stopSearch(): void {
    this.searches++;
  }

  /** The first byte of the next change, or of the one before; `undefined` where the view has no parent here. */
  async next(
    { view, fromBytes, backwards }: Extract<Request, { type: "next" }>,
    skips: Skips,
  ): Promise<Answers["next"]> {
    const turn = ++this.steps;
    const bench = await this.bench();
    const [upper, lower] = [bench.view(view), bench.below(view)];
    if (!lower) throw new RegrainError("USAGE", "there is nothing below this disk to compare it with");
    const goOn = () => turn === this.steps && !this.disk.life.ended;
    const finder = new ChangeFinder(upper, lower, skips, goOn);
    const offsetBytes = await (backwards ? finder.previous(fromBytes) : finder.next(fromBytes));
    return { offsetBytes };
  }

  stopNext(): void {
    this.steps++;
  }

  /** Reads every chunk of the snapshot that is open. */
  async checkChunks(): Promise<Answers["check-chunks"]> {
    const turn = ++this.checks;
    return await requiredSnapshot(this.disk).check(
      () => turn === this.checks && !this.disk.life.ended,
      (checked) => this.tell({ notice: "checked", checked }),
    );
  }

  stopCheck(): void {
    this.checks++;
  }

  /** Compares all deltas, merged, with the base; without it the newest link with what lies below it. */
  async compare(): Promise<Compared> {
    const { isWhole } = requiredBench(this.disk).chain;
    const view = isWhole ? "deltas" : 0;
    const turn = ++this.comparisons;
    const bench = await this.bench();
    const [upper, lower] = [bench.view(view), bench.below(view)];
    if (!lower) throw new RegrainError("USAGE", "there is nothing below this disk to compare it with");
    const tell = (compared: Compared) => this.tell({ notice: "compared", compared });
    return await new Comparison(upper, lower, tell)
      .run(() => turn === this.comparisons && !this.disk.life.ended);
  }
}
