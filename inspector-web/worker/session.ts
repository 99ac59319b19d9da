/** What is open: which request opened it, what ends with it, and who answers what is asked about it. */
import { type Core, RegrainError } from "../../core-as/host/mod.ts";
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
} from "../shared/protocol.ts";
import { AskedDisk } from "./asked_disk.ts";
import { KernelSet } from "./disk/bench.ts";
import { Superseded } from "./disk/lock.ts";
import { troubleOf } from "./disk/trouble.ts";
import { openFiles, type Opening, openSnapshot } from "./opening.ts";
import { OpenRepository } from "./repository/repository.ts";

export type Post = (told: Told, transfer: Transferable[]) => void;

/** How repositories are reached and unpacked. */
export interface RepositoryMeans {
  objects(place: RepositoryPlace): ObjectReader;
  /** Loads zstd when it is needed first. */
  codec(): Promise<Codec>;
}

export class Session {
  private open: AskedDisk | undefined;
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
      case "close":
        this.end();
        return Promise.resolve(null);
      case "stop-check":
      case "stop-next":
      case "stop-search":
        this.open?.stop(asked.type);
        return Promise.resolve(null);
      default:
        return this.required().answer(asked);
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
    this.open = new AskedDisk(disk, this.kernels, this.tell);
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
    this.open?.end();
    this.open = undefined;
  }

  private required(): AskedDisk {
    if (this.open) return this.open;
    throw new RegrainError("USAGE", "nothing is open");
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
