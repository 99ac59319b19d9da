/** What is open, and the answers to what the page asks about it. */
import type { GuestSurvey } from "../../core-as/host/guest/mod.ts";
import { type Core, type Link, readBytes, RegrainError, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import type { Codec, ObjectReader } from "../../core-as/host/repo/mod.ts";
import {
  type Answers,
  type Asked,
  CLOSED,
  type Compared,
  type FileFacts,
  type GivenFile,
  type Opened,
  type RepositoryFacts,
  type RepositoryPlace,
  type Request,
  type Searched,
  type Told,
  type View,
} from "../shared/protocol.ts";
import { areaAnswer, labelOf, scannedTotals, surveyAreas, unknownAreas, walkedTotals } from "./areas.ts";
import { Bench, Kernels } from "./bench.ts";
import { bytesOfFile, bytesOfView } from "./bytes.ts";
import { restoreCommand } from "./command.ts";
import { Comparison } from "./compare.ts";
import { describeSector } from "./describe.ts";
import { exportCsv, exportJson } from "./export.ts";
import { openedChain, openedMap } from "./facts.ts";
import { findingsOf } from "./findings.ts";
import { GivenFiles, type OpenFiles } from "./given.ts";
import type { Item } from "./items.ts";
import { Superseded } from "./lock.ts";
import { type MapRuns, parseMap } from "./map_json.ts";
import { nextRun, previousRun } from "./next.ts";
import { lookAtAll, type Plan, planChain } from "./open.ts";
import { OpenRepository } from "./repository.ts";
import type { Runs } from "./runs.ts";
import { Scan } from "./scan.ts";
import { Search } from "./search.ts";
import type { Life } from "./slow_source.ts";
import { SnapshotDisk } from "./snapshot_disk.ts";
import { structureOf } from "./structure.ts";
import { changesOf, Tiles } from "./tiles.ts";
import { troubleOf } from "./trouble.ts";

/** Views whose pyramids are kept: each may take 24 MiB. */
const MAX_SCANS = 6;

export type Post = (told: Told, transfer: Transferable[]) => void;

/** How repositories are reached and unpacked. */
export interface RepositoryMeans {
  objects(place: RepositoryPlace): ObjectReader;
  /** Loads zstd when it is needed first. */
  codec(): Promise<Codec>;
}

/** Nothing was asked of it that takes long. */
const NONE_ASKED = { comparisons: 0, searches: 0, checks: 0 } as const;

/** What one opening brought. */
interface Open {
  readonly life: Life;
  readonly files: OpenFiles;
  /** The same, when it is a snapshot. */
  readonly snapshot?: SnapshotDisk;
  readonly plan: Plan | undefined;
  /** Absent where only a map is open. */
  readonly bench: Bench | undefined;
  readonly map: MapRuns | undefined;
  readonly scans: Map<View, Scan>;
  /** Made when they are asked for, and kept. */
  slow?: Promise<Bench>;
  guest?: Promise<GuestSurvey>;
  /** The same when it is there: nobody waits for it to learn the name of an area. */
  known?: GuestSurvey;
  findings?: Promise<Answers["findings"]>;
  marks?: Promise<void>;
  /** The comparison that runs is the last one that was asked for. */
  comparisons: number;
  /** The same of searches. */
  searches: number;
  /** And of checks of all chunks. */
  checks: number;
}

export class Session {
  private open: Open | undefined;
  private repository: OpenRepository | undefined;
  private tiles = new Tiles();
  private readonly quick: Kernels;
  /** For work in long steps; made when there is some. */
  private slow: Kernels | undefined;
  /** For the search for damage, which may take minutes. */
  private surveying: Kernels | undefined;

  /**
   * @param newCore Makes kernels with a memory of their own.
   * @param means   Absent where there are no repositories.
   */
  constructor(
    private readonly newCore: () => Core,
    private readonly post: Post,
    private readonly means?: RepositoryMeans,
  ) {
    this.quick = new Kernels(newCore());
  }

  /** Answers one request; never fails. */
  async receive(asked: Asked): Promise<void> {
    const { id } = asked;
    const { open } = this;
    try {
      const answer = await this.answer(asked);
      this.post({ id, ok: true, answer }, buffersOf(answer));
    } catch (error) {
      const trouble = troubleOf(error);
      // What was asked of a disk that is no longer open failed for that reason, and nobody waits for it.
      const isMoot = error instanceof Superseded || (asked.type !== "open" && this.open !== open);
      this.post({ id, ok: false, trouble: isMoot ? { ...trouble, code: CLOSED } : trouble }, []);
    }
  }

  private answer(asked: Request): Promise<Answers[Request["type"]]> {
    switch (asked.type) {
      case "open":
        return this.openFiles(asked.files, asked.leaf);
      case "open-repository":
        return this.openRepository(asked.place);
      case "open-snapshot":
        return this.openSnapshot(asked.snapshot);
      case "difference":
        return this.requiredSnapshot().compareWith(asked.against);
      case "changes":
        return Promise.resolve({ changes: changesOf(this.requiredSnapshot(), asked) });
      case "check-chunks":
        return this.checkChunks();
      case "stop-check":
        if (this.open) this.open.checks++;
        return Promise.resolve(null);
      case "close":
        this.end();
        return Promise.resolve(null);
      case "scan":
        this.startScan(asked.view, asked.fromSector);
        return Promise.resolve(null);
      case "tile":
        return this.tiles.tile(this.scanOf(asked.view), asked);
      case "owners":
        return this.tiles.owners(this.runsOf("merged"), asked).then((owners) => ({ owners }));
      case "bytes":
        return this.bytes(asked);
      case "describe":
        return this.describe(asked.view, asked.sector);
      case "next":
        return this.next(asked);
      case "areas":
        return this.areas(asked.view);
      case "findings":
        return this.findings();
      case "structure":
        return this.structure(asked.file, asked.around);
      case "compare":
        return this.compare();
      case "search":
        return this.search(asked);
      case "stop-search":
        if (this.open) this.open.searches++;
        return Promise.resolve(null);
      case "export":
        return this.export(asked.view, asked.format);
    }
  }

  /** Opens the files in place of what was open; that stays open when there is no disk in them. */
  private async openFiles(given: readonly GivenFile[], leaf: number | undefined): Promise<Opened> {
    const life = { ended: false };
    const files = new GivenFiles(given, life);
    const items = await lookAtAll(files.names, files.context(this.quick.core));
    const map = await onlyMap(items, files);
    if (map) {
      const others = items.filter((item) => item.error).map(({ error }) => `left out: ${error!.message}`);
      this.replace({
        life,
        files,
        plan: undefined,
        bench: undefined,
        map: map.runs,
        scans: new Map(),
        ...NONE_ASKED,
      });
      return openedMap(map.runs, map.file, [...files.remarks, ...others]);
    }
    const plan = planChain(items, leaf === undefined ? undefined : files.names[leaf]);
    const bench = await Bench.open(this.quick, plan, files);
    this.replace({ life, files, plan, bench, map: undefined, scans: new Map(), ...NONE_ASKED });
    return openedChain(bench.chain, files.remarks, plan.start);
  }

  /** Opens a repository in place of what was open; that stays open when there is none. */
  private async openRepository(place: RepositoryPlace): Promise<RepositoryFacts> {
    const { means } = this;
    if (!means) throw new RegrainError("USAGE", "repositories are not opened here");
    const repository = await OpenRepository.open(means.objects(place), () => means.codec());
    this.end();
    this.repository = repository;
    return repository.facts;
  }

  private async openSnapshot(id: string): Promise<Opened> {
    const { repository } = this;
    if (!repository) throw new RegrainError("USAGE", "no repository is open");
    const life = { ended: false };
    const scans = new Map<View, Scan>();
    const snapshot = new SnapshotDisk(repository, repository.snapshot(id), (range) => {
      for (const { damaged } of scans.values()) damaged.push(range);
      if (!life.ended) this.post({ notice: "damaged" }, []);
    });
    const plan: Plan = { items: [], names: snapshot.names, start: 0, remarks: [] };
    const bench = await Bench.open(this.quick, plan, snapshot);
    this.replace({ life, files: snapshot, snapshot, plan, bench, map: undefined, scans, ...NONE_ASKED });
    const opened = openedChain(bench.chain, [], 0);
    return {
      ...opened,
      snapshot: repository.factsOfSnapshot(id),
      command: restoreCommand(snapshot.snapshot, repository.reader.store.label),
    };
  }

  private replace(open: Open): void {
    this.end();
    this.open = open;
  }

  private end(): void {
    if (!this.open) return;
    this.open.life.ended = true;
    for (const scan of this.open.scans.values()) scan.stop();
    this.tiles.stop();
    this.tiles = new Tiles();
    this.open = undefined;
  }

  private required(): Open {
    if (this.open) return this.open;
    throw new RegrainError("USAGE", "nothing is open");
  }

  private requiredSnapshot(): SnapshotDisk {
    const { snapshot } = this.required();
    if (snapshot) return snapshot;
    throw new RegrainError("USAGE", "what is open is no snapshot of a repository");
  }

  private requiredBench(): Bench {
    const { bench } = this.required();
    if (bench) return bench;
    throw new RegrainError("USAGE", "only a map is open: there are no bytes to look at");
  }

  private runsOf(view: View): Runs {
    const { map } = this.required();
    return map ?? this.requiredBench().view(view);
  }

  private scanOf(view: View): Scan {
    const { scans, snapshot } = this.required();
    const known = scans.get(view);
    const scan = known ?? new Scan(view, this.runsOf(view));
    if (!known && snapshot) scan.damaged.push(...snapshot.damagedRanges);
    // The one used last goes to the end, and the first is the one to forget.
    scans.delete(view);
    scans.set(view, scan);
    if (scans.size > MAX_SCANS) {
      const [oldest] = scans;
      oldest![1].stop();
      scans.delete(oldest![0]);
    }
    return scan;
  }

  private startScan(view: View, fromSector: number): void {
    const open = this.required();
    const scan = this.scanOf(view);
    for (const other of open.scans.values()) if (other !== scan) other.stop();
    const isSector = Number.isSafeInteger(fromSector) && fromSector >= 0;
    scan.run(isSector ? fromSector : 0, (state) => this.post({ notice: "scan", state }, [])).catch(
      (error) => {
        if (this.open === open) this.post({ notice: "trouble", trouble: troubleOf(error) }, []);
      },
    );
  }

  private bytes(asked: Extract<Request, { type: "bytes" }>): Promise<Answers["bytes"]> {
    if ("file" in asked.of) return bytesOfFile(this.required().files, asked.of.file, asked);
    const bench = this.requiredBench();
    const { view } = asked.of;
    const upper = view === "merged" ? 0 : view;
    const hasBelow = asked.withBelow === true && upper < bench.chain.links.length - 1;
    return bytesOfView(bench.view(view), asked, hasBelow ? bench.below(upper) : undefined);
  }

  private async describe(view: View, sector: number): Promise<Answers["describe"]> {
    const runs = this.runsOf(view);
    if (!Number.isSafeInteger(sector) || sector < 0 || sector >= runs.capacitySectors) {
      throw new RegrainError(
        "USAGE",
        `the disk has ${runs.capacitySectors} sectors, there is no sector ${sector}`,
      );
    }
    const links: readonly Pick<Link, "path">[] = this.required().bench?.chain.links ?? [{ path: runs.name }];
    const facts = await describeSector(runs, sector, links.map(({ path }) => path));
    const offsetBytes = sector * SECTOR_SIZE;
    const area = this.open?.known?.areas.find((each) => offsetBytes < each.startBytes + each.lengthBytes);
    return { ...facts, area: area && labelOf(area) };
  }

  private async next(asked: Extract<Request, { type: "next" }>): Promise<Answers["next"]> {
    const { snapshot } = this.required();
    if (snapshot?.isCompared) return { sector: snapshot.nextChanged(asked.sector, asked.backwards) };
    const scan = this.scanOf(asked.view);
    const find = asked.backwards ? previousRun : nextRun;
    return { sector: await find(scan, asked.sector) };
  }

  /** The same links on the second kernels. */
  private slowBench(): Promise<Bench> {
    const open = this.required();
    const { plan, files } = open;
    if (!plan) throw new RegrainError("USAGE", "only a map is open: there are no bytes to look at");
    this.slow ??= new Kernels(this.newCore());
    return open.slow ??= Bench.open(this.slow, plan, files);
  }

  private async areas(view: View): Promise<Answers["areas"]> {
    const open = this.required();
    if (open.map) {
      const unknown = unknownAreas(open.map);
      return areaAnswer(unknown, await walkedTotals(unknown, open.map), false);
    }
    const bench = await this.slowBench();
    const merged = bench.view("merged");
    open.guest ??= surveyAreas(merged);
    open.known = await open.guest;
    const scan = open.scans.get(view);
    const isScanned = scan && (scan.finished || scan.isRunning);
    const totals =
      await (isScanned ? scannedTotals(open.known, scan) : walkedTotals(open.known, bench.view(view)));
    return areaAnswer(open.known, totals, merged.disk.isWhole);
  }

  private async findings(): Promise<Answers["findings"]> {
    const open = this.required();
    if (open.map) return { findings: [], counts: { damage: 0, doubt: 0, note: 0 } };
    if (open.snapshot) {
      // Marks are looked for once; what is found by reading is added as it is found.
      await (open.marks ??= open.snapshot.placeMarks());
      return open.snapshot.findings();
    }
    return await (open.findings ??= this.survey(open));
  }

  /** A survey reads all that a scan reads: it waits for that, and what is seen first is there first. */
  private async survey({ scans, plan, files, life }: Open): Promise<Answers["findings"]> {
    for (let running = [...scans.values()]; running.length > 0;) {
      await Promise.all(running.map((scan) => scan.idle()));
      running = [...scans.values()].filter(({ isRunning }) => isRunning);
    }
    if (!plan || life.ended) throw new RegrainError("USAGE", "nothing is open");
    this.surveying ??= new Kernels(this.newCore());
    return await findingsOf(await Bench.open(this.surveying, plan, files), (surveyed) => {
      if (!life.ended) this.post({ notice: "surveyed", surveyed }, []);
    });
  }

  private async structure(file: string, around: number | undefined): Promise<Answers["structure"]> {
    const { files } = this.required();
    return await structureOf({ name: file, around }, this.requiredBench().chain.links, files);
  }

  private async search({ view, fromBytes, patterns }: Extract<Request, { type: "search" }>) {
    const open = this.required();
    const turn = ++open.searches;
    const bench = await this.slowBench();
    const tell = (searched: Searched) => this.post({ notice: "searched", searched }, []);
    return await new Search(bench.view(view), patterns, tell)
      .run(fromBytes, () => turn === open.searches && !open.life.ended);
  }

  private async checkChunks(): Promise<Answers["check-chunks"]> {
    const open = this.required();
    const turn = ++open.checks;
    return await this.requiredSnapshot().check(
      () => turn === open.checks && !open.life.ended,
      (checked) => this.post({ notice: "checked", checked }, []),
    );
  }

  private async compare(): Promise<Compared> {
    const open = this.required();
    if (this.requiredBench().chain.links.length < 2) {
      throw new RegrainError("USAGE", "there is nothing below this disk to compare it with");
    }
    const turn = ++open.comparisons;
    const bench = await this.slowBench();
    const tell = (compared: Compared) => this.post({ notice: "compared", compared }, []);
    return await new Comparison(bench.view(0), bench.below(0), tell)
      .run(() => turn === open.comparisons && !open.life.ended);
  }

  private async export(view: View, format: "json" | "csv"): Promise<Answers["export"]> {
    const runs = this.runsOf(view);
    return { blob: await (format === "json" ? exportJson(runs) : exportCsv(runs)) };
  }
}

/** The saved map, where there is no disk beside it. */
async function onlyMap(
  items: readonly Item[],
  files: OpenFiles,
): Promise<{ runs: MapRuns; file: FileFacts } | undefined> {
  const map = items.find(({ kind }) => kind === "map");
  if (!map || items.some(({ kind, error }) => kind !== "map" && !error)) return undefined;
  const source = files.open(map.name);
  const runs = parseMap(await readBytes(source, 0, source.sizeBytes), map.name);
  return {
    runs,
    file: { name: map.name, sizeBytes: map.sizeBytes, format: "map", facts: { image: runs.name } },
  };
}

/** What may be handed over instead of copied: answers are made for one request and not kept. */
function buffersOf(answer: Answers[Request["type"]]): ArrayBuffer[] {
  if (answer === null) return [];
  return Object.values(answer).flatMap((value) =>
    ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : []
  );
}
