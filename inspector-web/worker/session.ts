/** What is open, and the answers to what the page asks about it. */
import { type Core, type Link, RegrainError, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import type { Codec, ObjectReader } from "../../core-as/host/repo/mod.ts";
import {
  type Answers,
  type Asked,
  CLOSED,
  type Notice,
  type Opened,
  type RepositoryFacts,
  type RepositoryPlace,
  type Request,
  type Told,
  type View,
} from "../shared/protocol.ts";
import { KernelSet } from "./disk/bench.ts";
import { bytesOfFile, bytesOfView } from "./answers/bytes.ts";
import { describeSector } from "./answers/describe.ts";
import { exportCsv, exportJson } from "./answers/export.ts";
import { Superseded } from "./disk/lock.ts";
import { LongWork } from "./long_work.ts";
import { nextRun, previousRun, skipsOf } from "./answers/next.ts";
import { type OpenDisk, requiredBench, requiredSnapshot, runsOf, scanOf } from "./open_disk.ts";
import { openFiles, type Opening, openSnapshot } from "./opening.ts";
import { OpenRepository } from "./repository/repository.ts";
import { structureOf } from "./answers/structure.ts";
import { Surveys } from "./surveys.ts";
import { changesOf, Tiles } from "./map/tiles.ts";
import { troubleOf } from "./disk/trouble.ts";

export type Post = (told: Told, transfer: Transferable[]) => void;

/** How repositories are reached and unpacked. */
export interface RepositoryMeans {
  objects(place: RepositoryPlace): ObjectReader;
  /** Loads zstd when it is needed first. */
  codec(): Promise<Codec>;
}

/** The disk that is open, and what goes on with it. */
interface Open {
  readonly disk: OpenDisk;
  readonly tiles: Tiles;
  readonly work: LongWork;
  readonly surveys: Surveys;
}

export class Session {
  private open: Open | undefined;
  private repository: OpenRepository | undefined;
  /** The request that opened what is open; later ones have higher numbers. */
  private opener = 0;
  private readonly kernels: KernelSet;

  /**
   * @param newCore Makes kernels with a memory of their own.
   * @param means   Absent where there are no repositories.
   */
  constructor(
    newCore: () => Core,
    private readonly post: Post,
    private readonly means?: RepositoryMeans,
  ) {
    this.kernels = new KernelSet(newCore);
  }

  /** Tells the page what it did not ask for. */
  private readonly tell = (notice: Notice): void => this.post(notice, []);

  /** Answers one request; never fails. */
  async receive(asked: Asked): Promise<void> {
    const { id } = asked;
    const { open } = this;
    try {
      const isOfAnother = asked.opener !== undefined && asked.opener !== this.opener;
      if (isOfAnother && !isOpener(asked)) throw new Superseded();
      const answer = await this.answer(asked);
      this.post({ id, ok: true, answer }, buffersOf(answer));
    } catch (error) {
      const trouble = troubleOf(error);
      // What was asked of a disk that is no longer open failed for that reason, and nobody waits for it.
      const isMoot = error instanceof Superseded || (asked.type !== "open" && this.open !== open);
      this.post({ id, ok: false, trouble: isMoot ? { ...trouble, code: CLOSED } : trouble }, []);
    }
  }

  private answer(asked: Asked): Promise<Answers[Request["type"]]> {
    switch (asked.type) {
      case "open":
        return openFiles(asked.files, asked.leaf, this.kernels.quick).then((opening) =>
          this.replace(opening, asked.id)
        );
      case "open-repository":
        return this.openRepository(asked.place, asked.id);
      case "open-snapshot":
        return this.openSnapshot(asked.snapshot, asked.id);
      case "difference":
        return requiredSnapshot(this.required().disk).compareWith(asked.against);
      case "changes":
        return Promise.resolve({ changes: changesOf(requiredSnapshot(this.required().disk), asked) });
      case "check-chunks":
        return this.required().work.checkChunks();
      case "stop-check":
        this.open?.work.stopCheck();
        return Promise.resolve(null);
      case "close":
        this.end();
        return Promise.resolve(null);
      case "scan":
        this.startScan(asked.view, asked.fromSector);
        return Promise.resolve(null);
      case "tile":
        return this.tile(asked);
      case "owners":
        return this.owners(asked);
      case "bytes":
        return this.bytes(asked);
      case "describe":
        return this.describe(asked.view, asked.sector);
      case "next":
        return this.next(asked);
      case "stop-next":
        this.open?.work.stopNext();
        return Promise.resolve(null);
      case "areas":
        return this.required().surveys.areas(asked.view);
      case "findings":
        return this.required().surveys.findings();
      case "judgement":
        return this.required().surveys.judgement();
      case "structure":
        return this.structure(asked.file, asked.around);
      case "compare":
        return this.required().work.compare();
      case "search":
        return this.required().work.search(asked.view, asked.fromBytes, asked.patterns);
      case "stop-search":
        this.open?.work.stopSearch();
        return Promise.resolve(null);
      case "export":
        return this.export(asked.view, asked.format);
    }
  }

  /** Opens a repository in place of what was open; that stays open when there is none. */
  private async openRepository(place: RepositoryPlace, opener: number): Promise<RepositoryFacts> {
    const { means } = this;
    if (!means) throw new RegrainError("USAGE", "repositories are not opened here");
    const repository = await OpenRepository.open(means.objects(place), () => means.codec());
    this.begin(opener);
    this.repository = repository;
    return repository.facts;
  }

  private async openSnapshot(id: string, opener: number): Promise<Opened> {
    if (!this.repository) throw new RegrainError("USAGE", "no repository is open");
    return this.replace(await openSnapshot(id, this.repository, this.kernels.quick, this.tell), opener);
  }

  private replace({ disk, opened }: Opening, opener: number): Opened {
    this.begin(opener);
    const work = new LongWork(disk, this.kernels, this.tell);
    const surveys = new Surveys(disk, work, this.kernels, this.tell);
    this.open = { disk, tiles: new Tiles(), work, surveys };
    return opened;
  }

  /**
   * Makes room for what was just opened.
   *
   * @throws {Superseded} when something that was asked for later is open already.
   */
  private begin(opener: number): void {
    if (opener < this.opener) throw new Superseded();
    this.end();
    this.opener = opener;
  }

  private end(): void {
    if (!this.open) return;
    const { disk, tiles } = this.open;
    disk.life.ended = true;
    disk.scans.stop();
    tiles.stop();
    this.open = undefined;
  }

  private required(): Open {
    if (this.open) return this.open;
    throw new RegrainError("USAGE", "nothing is open");
  }

  private startScan(view: View, fromSector: number): void {
    const open = this.required();
    const { disk } = open;
    disk.scans.run(scanOf(disk, view), fromSector, (state) => this.tell({ notice: "scan", state })).catch(
      (error) => {
        if (this.open === open) this.tell({ notice: "trouble", trouble: troubleOf(error) });
      },
    );
  }

  private tile(asked: Extract<Request, { type: "tile" }>): Promise<Answers["tile"]> {
    const { disk, tiles } = this.required();
    return tiles.tile(scanOf(disk, asked.view), asked);
  }

  private async owners(asked: Extract<Request, { type: "owners" }>): Promise<Answers["owners"]> {
    const { disk, tiles } = this.required();
    return { owners: await tiles.owners(runsOf(disk, asked.view), asked) };
  }

  private bytes(asked: Extract<Request, { type: "bytes" }>): Promise<Answers["bytes"]> {
    const { disk } = this.required();
    if ("file" in asked.of) return bytesOfFile(disk.files, asked.of.file, asked);
    const bench = requiredBench(disk);
    const { view } = asked.of;
    return bytesOfView(bench.view(view), asked, asked.withBelow === true ? bench.below(view) : undefined);
  }

  private async describe(view: View, sector: number): Promise<Answers["describe"]> {
    const { disk, surveys } = this.required();
    const runs = runsOf(disk, view);
    if (!Number.isSafeInteger(sector) || sector < 0 || sector >= runs.capacitySectors) {
      throw new RegrainError(
        "USAGE",
        `the disk has ${runs.capacitySectors} sectors, there is no sector ${sector}`,
      );
    }
    const links: readonly Pick<Link, "path">[] = disk.bench?.chain.links ?? [{ path: runs.name }];
    const facts = await describeSector(runs, sector, links.map(({ path }) => path));
    return { ...facts, area: surveys.areaAt(sector * SECTOR_SIZE) };
  }

  private async next(asked: Extract<Request, { type: "next" }>): Promise<Answers["next"]> {
    const { disk, work } = this.required();
    const { view, fromBytes, backwards } = asked;
    if (!Number.isSafeInteger(fromBytes) || fromBytes < 0) {
      throw new RegrainError("USAGE", `${fromBytes} is no place on a disk`);
    }
    const { snapshot, bench } = disk;
    if (bench?.below(view) && !snapshot) return await work.next(asked, skipsOf(scanOf(disk, view)));
    // Inside a sector one has passed its start.
    const sector = backwards ? Math.ceil(fromBytes / SECTOR_SIZE) : Math.floor(fromBytes / SECTOR_SIZE);
    const found = snapshot?.isCompared
      ? snapshot.nextChanged(sector, backwards)
      : await (backwards ? previousRun : nextRun)(scanOf(disk, view), sector);
    return { offsetBytes: found === undefined ? undefined : found * SECTOR_SIZE };
  }

  private async structure(file: string, around: number | undefined): Promise<Answers["structure"]> {
    const { disk } = this.required();
    return await structureOf({ name: file, around }, requiredBench(disk).chain.links, disk.files);
  }

  private async export(view: View, format: "json" | "csv"): Promise<Answers["export"]> {
    const runs = runsOf(this.required().disk, view);
    return { blob: await (format === "json" ? exportJson(runs) : exportCsv(runs)) };
  }
}

function isOpener({ type }: Request): boolean {
  return type === "open" || type === "open-repository" || type === "open-snapshot";
}

/** What may be handed over instead of copied: answers are made for one request and not kept. */
function buffersOf(answer: Answers[Request["type"]]): ArrayBuffer[] {
  if (answer === null) return [];
  return Object.values(answer).flatMap((value) =>
    ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : []
  );
}
