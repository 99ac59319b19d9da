/** The disk that is open, and the answers to what the page asks about it. */
import { type Link, RegrainError, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import type { Answers, Notice, Request } from "../shared/protocol.ts";
import { bytesOfFile, bytesOfView } from "./answers/bytes.ts";
import { describeSector } from "./answers/describe.ts";
import { exportCsv, exportJson } from "./answers/export.ts";
import { nextRun, previousRun, skipsOf } from "./answers/next.ts";
import { structureOf } from "./answers/structure.ts";
import type { KernelSet } from "./disk/bench.ts";
import { troubleOf } from "./disk/trouble.ts";
import { LongWork } from "./long_work.ts";
import { changesOf, Tiles } from "./map/tiles.ts";
import { type OpenDisk, requiredBench, requiredSnapshot, runsOf, scanOf } from "./open_disk.ts";
import { Surveys } from "./surveys.ts";

/** What ends work that goes on. */
type Stop = "stop-check" | "stop-next" | "stop-search";
/** What is asked about the disk that is open. */
type DiskRequest = Exclude<Request, { type: "open" | "open-repository" | "open-snapshot" | "close" | Stop }>;
type Ask<T extends DiskRequest["type"]> = Extract<DiskRequest, { type: T }>;
type Answerers = { readonly [T in DiskRequest["type"]]: (asked: Ask<T>) => Promise<Answers[T]> };

export class AskedDisk {
  private readonly tiles = new Tiles();
  private readonly work: LongWork;
  private readonly surveys: Surveys;
  private readonly answers: Answerers = {
    "difference": ({ against }) => requiredSnapshot(this.disk).compareWith(against),
    "changes": (asked) => Promise.resolve({ changes: changesOf(requiredSnapshot(this.disk), asked) }),
    "check-chunks": () => this.work.checkChunks(),
    "scan": (asked) => this.startScan(asked),
    "tile": (asked) => this.tiles.tile(scanOf(this.disk, asked.view), asked),
    "owners": (asked) => this.owners(asked),
    "bytes": (asked) => this.bytes(asked),
    "describe": (asked) => this.describe(asked),
    "next": (asked) => this.next(asked),
    "areas": ({ view }) => this.surveys.areas(view),
    "findings": () => this.surveys.findings(),
    "judgement": () => this.surveys.judgement(),
    "structure": (asked) => this.structure(asked),
    "compare": () => this.work.compare(),
    "search": ({ view, fromBytes, patterns }) => this.work.search(view, fromBytes, patterns),
    "export": (asked) => this.export(asked),
  };

  constructor(
    private readonly disk: OpenDisk,
    kernels: KernelSet,
    private readonly tell: (notice: Notice) => void,
  ) {
    this.work = new LongWork(disk, kernels, tell);
    this.surveys = new Surveys(disk, this.work, kernels, tell);
  }

  answer(asked: DiskRequest): Promise<Answers[DiskRequest["type"]]> {
    // Each type has the answerer that takes it: that is what the type of the table says.
    const answerer = this.answers[asked.type] as (
      asked: DiskRequest,
    ) => Promise<Answers[DiskRequest["type"]]>;
    return answerer(asked);
  }

  stop(what: Stop): void {
    if (what === "stop-check") this.work.stopCheck();
    else if (what === "stop-next") this.work.stopNext();
    else this.work.stopSearch();
  }

  /** Ends all that goes on with it, when something else is opened. */
  end(): void {
    this.disk.life.ended = true;
    this.disk.scans.stop();
    this.tiles.stop();
  }

  private startScan({ view, fromSector }: Ask<"scan">): Promise<null> {
    const { disk, tell } = this;
    disk.scans.run(scanOf(disk, view), fromSector, (state) => tell({ notice: "scan", state })).catch(
      (error) => {
        if (!disk.life.ended) tell({ notice: "trouble", trouble: troubleOf(error) });
      },
    );
    return Promise.resolve(null);
  }

  private async owners(asked: Ask<"owners">): Promise<Answers["owners"]> {
    return { owners: await this.tiles.owners(runsOf(this.disk, asked.view), asked) };
  }

  private bytes(asked: Ask<"bytes">): Promise<Answers["bytes"]> {
    const { disk } = this;
    if ("file" in asked.of) return bytesOfFile(disk.files, asked.of.file, asked);
    const bench = requiredBench(disk);
    const { view } = asked.of;
    return bytesOfView(bench.view(view), asked, asked.withBelow === true ? bench.below(view) : undefined);
  }

  private async describe({ view, sector }: Ask<"describe">): Promise<Answers["describe"]> {
    const { disk } = this;
    const runs = runsOf(disk, view);
    if (!Number.isSafeInteger(sector) || sector < 0 || sector >= runs.capacitySectors) {
      throw new RegrainError(
        "USAGE",
        `the disk has ${runs.capacitySectors} sectors, there is no sector ${sector}`,
      );
    }
    const links: readonly Pick<Link, "path">[] = disk.bench?.chain.links ?? [{ path: runs.name }];
    const facts = await describeSector(runs, sector, links.map(({ path }) => path));
    return { ...facts, area: this.surveys.areaAt(sector * SECTOR_SIZE) };
  }

  private async next(asked: Ask<"next">): Promise<Answers["next"]> {
    const { disk } = this;
    const { view, fromBytes, backwards } = asked;
    if (!Number.isSafeInteger(fromBytes) || fromBytes < 0) {
      throw new RegrainError("USAGE", `${fromBytes} is no place on a disk`);
    }
    const { snapshot, bench } = disk;
    if (bench?.below(view) && !snapshot) return await this.work.next(asked, skipsOf(scanOf(disk, view)));
    // Inside a sector one has passed its start.
    const sector = backwards ? Math.ceil(fromBytes / SECTOR_SIZE) : Math.floor(fromBytes / SECTOR_SIZE);
    const found = snapshot?.isCompared
      ? snapshot.nextChanged(sector, backwards)
      : await (backwards ? previousRun : nextRun)(scanOf(disk, view), sector);
    return { offsetBytes: found === undefined ? undefined : found * SECTOR_SIZE };
  }

  private async structure({ file, around }: Ask<"structure">): Promise<Answers["structure"]> {
    const { disk } = this;
    return await structureOf({ name: file, around }, requiredBench(disk).chain.links, disk.files);
  }

  private async export({ view, format }: Ask<"export">): Promise<Answers["export"]> {
    const runs = runsOf(this.disk, view);
    return { blob: await (format === "json" ? exportJson(runs) : exportCsv(runs)) };
  }
}
