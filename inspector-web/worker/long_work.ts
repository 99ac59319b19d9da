/** Work on the open disk that takes long. Of each kind the one that was asked for last runs, and earlier ones end. */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { Answers, Compared, Notice, Searched, View } from "../shared/protocol.ts";
import { Bench, type KernelSet } from "./bench.ts";
import { Comparison } from "./compare.ts";
import { type OpenDisk, requiredBench, requiredSnapshot } from "./open_disk.ts";
import { Search } from "./search.ts";

export class LongWork {
  /** Opened when it is needed first, and kept. */
  private opened: Promise<Bench> | undefined;
  private comparisons = 0;
  private searches = 0;
  private checks = 0;

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

  /** Compares the newest link with what lies below it. */
  async compare(): Promise<Compared> {
    if (requiredBench(this.disk).chain.links.length < 2) {
      throw new RegrainError("USAGE", "there is nothing below this disk to compare it with");
    }
    const turn = ++this.comparisons;
    const bench = await this.bench();
    const tell = (compared: Compared) => this.tell({ notice: "compared", compared });
    return await new Comparison(bench.view(0), bench.below(0), tell)
      .run(() => turn === this.comparisons && !this.disk.life.ended);
  }
}
