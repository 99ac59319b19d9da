/**
 * The judgement: whether deltas can be applied, and why not. One for every command that opens a chain and for the page,
 * so that no two of them say different things of the same files.
 *
 * It is made of what is known already, opens nothing, and never takes "unknown" for "fine".
 *
 * This module is browser compatible.
 */
import { applyCommand } from "../command_line.ts";
import { formatNamed } from "../formats/formats.ts";
import { isKnownBase, type LinkIdentity } from "../formats/identity.ts";
import { formatCid } from "../formats/vmdk/descriptor.ts";
import { descriptorOf } from "../formats/vmdk/identity.ts";
import { RegrainError } from "../errors.ts";
import type { Findings } from "./findings.ts";
import { folderOf, joinPath, looseNames } from "../names.ts";
import { unsoundness } from "./survey.ts";
import { type ExtentFile, sizeMismatch } from "./target_size.ts";
import { SECTOR_SIZE } from "../units.ts";
import {
  isDeltaName,
  isNamedParent,
  judgeChain,
  namedElsewhere,
  refusalOf,
  type Verdict,
} from "./verdict.ts";

/** What is known of a chain and of the disk below it. */
export interface Known {
  /**
   * The links, newest first. The last may be what the others are applied onto: a base, by its descriptor or as a raw
   * image. Of a block device, which may be larger than the disk, `capacitySectors` is left `undefined`.
   */
  readonly links: readonly LinkIdentity[];
  /** What the survey of each link found; `undefined` where none was made yet. That of the base is not asked for. */
  readonly findings: readonly (Findings | undefined)[];
  /** Links that are known beside those: the one that the oldest names as its parent, where it is not given. */
  readonly beside?: readonly LinkIdentity[];
  /** What in the content of the base speaks against it. It can only raise doubt: guests write what it is read from. */
  readonly against?: readonly string[];
  /** What a user takes by `--force` is no refusal then. */
  readonly force?: boolean;
  /** Flags that the links were found with, as they are typed: the command repeats them. */
  readonly flags?: readonly string[];
}

export interface Judgement {
  /**
   * `applies`: `apply` will do it. `refused`: it will not. `unknown`: nothing speaks against it, and something that
   * matters cannot be checked. `nothing`: there is no delta to apply.
   */
  readonly state: "applies" | "refused" | "unknown" | "nothing";
  /** Of each link but the last. */
  readonly verdicts: readonly Verdict[];
  /** Why not, in the order in which `apply` says it: code, sentence and hint of each. */
  readonly refusals: readonly RegrainError[];
  /** What cannot be checked, and why: sentences. */
  readonly unknowns: readonly string[];
  /** What was taken by `--force`. */
  readonly taken: readonly RegrainError[];
  /** The line that will work; absent where none is known to. `TARGET` stands for a copy of a base that is not here. */
  readonly command: string | undefined;
}

/** Judges deltas and what they are to be applied onto. */
export function judgeApply(known: Known): Judgement {
  const { links } = known;
  const verdicts = judgeChain(links, known.beside);
  const base = baseOf(links);
  const deltas = links.some(isImageOnly) ? [] : base ? links.slice(0, -1) : links;
  const unknowns = unknownsOf(known, { deltas, base, verdicts });
  const errors = deltas.length === 0 ? [] : refusalsOf(known, { deltas, base, verdicts });
  const refusals = errors.filter((error) => !known.force || !isTakenByForce(error)).map(({ error }) => error);
  const taken = errors.filter((error) => known.force && isTakenByForce(error)).map(({ error }) => error);
  return {
    state: stateOf({ deltas, refusals, unknowns }),
    verdicts,
    refusals,
    unknowns,
    taken,
    command: commandOf(known, { deltas, base, refusals }),
  };
}

/** True of an image on another one whose format is read and never applied. */
function isImageOnly(link: LinkIdentity): boolean {
  return link.parent?.by !== undefined;
}

/** The last link, when what lies above it is applied onto it. */
function baseOf(links: readonly LinkIdentity[]): LinkIdentity | undefined {
  const last = links.at(-1);
  return last && isKnownBase(last) ? last : undefined;
}

interface Split {
  readonly deltas: readonly LinkIdentity[];
  readonly base: LinkIdentity | undefined;
  readonly verdicts: readonly Verdict[];
}

/** A reason against it, and whether `--force` goes on all the same. */
interface Reason {
  readonly error: RegrainError;
  readonly byForce: boolean;
}

function isTakenByForce({ byForce }: Reason): boolean {
  return byForce;
}

function refusalsOf(known: Known, split: Split): Reason[] {
  const { deltas, base, verdicts } = split;
  const reasons: Reason[] = [];
  const add = (error: RegrainError | undefined, byForce: boolean) => {
    if (error) reasons.push({ error, byForce });
  };
  const misplaced = deltas.slice(0, -1).find(isKnownBase);
  if (misplaced) add(hidesAll(misplaced), false);
  for (const verdict of verdicts.slice(0, deltas.length - 1)) add(refusalOf(verdict), true);
  deltas.forEach(({ path }, i) => {
    const findings = known.findings[i];
    if (findings) add(unsoundness({ findings, path }), findings.counts.damage === 0);
  });
  const last = verdicts[deltas.length - 1];
  if (base && isKnownBase(deltas.at(-1)!)) add(overwritesAll(deltas.at(-1)!, base.path), true);
  else if (base && last) {
    for (const { error, byForce } of refusalsOfBase(deltas, base, last)) {
      add(error, byForce);
    }
  }
  return reasons;
}

/** A link without a parent among the newer ones hides everything below it: surely a mistake in the order. */
export function hidesAll({ path }: LinkIdentity): RegrainError {
  return new RegrainError(
    "CHAIN_BROKEN",
    "this link has no parent and would hide all links given before it",
    { path, hint: "give the links oldest first; what has no parent can only be the first" },
  );
}

/** A whole disk is no delta: all of the target is overwritten by it. */
export function overwritesAll({ path }: LinkIdentity, target: string): RegrainError {
  return new RegrainError(
    "WRONG_BASE",
    `it has no parent, so it is a whole disk and no delta: all of ${target} would be overwritten`,
    {
      path,
      hint: "deltas come first and the target last; --force overwrites the target all the same, " +
        "and what this disk does not hold with zeros",
    },
  );
}

function refusalsOfBase(deltas: readonly LinkIdentity[], base: LinkIdentity, verdict: Verdict): Reason[] {
  const reasons: Reason[] = [];
  const isTarget = base.identity !== undefined && isWritable(base);
  if (verdict.state === "mismatch" && verdict.basis !== "size" || (verdict.state === "unknown" && isTarget)) {
    reasons.push({ error: wrongBase(verdict, deltas.at(-1)!, base), byForce: true });
  }
  const size = sizeRefusal(deltas[0]!, base);
  return size ? [...reasons, size] : reasons;
}

/** Where the name alone made the base match, and leads to another file: whether this one is a copy of that. */
export function copyDoubt(
  { state, basis }: Verdict,
  { child, base, beside }: { child: LinkIdentity; base: LinkIdentity; beside: readonly LinkIdentity[] },
): string | undefined {
  const named = state === "match" && basis === "name" ? namedElsewhere(child, base, beside) : undefined;
  return named &&
    `whether ${base.path} is a copy of ${named.path}, which ${child.path} names as its parent: their ` +
      "content ids are those of other links too, so nothing tells";
}

/** `WRONG_BASE` with both content ids. */
export function wrongBase(verdict: Verdict, child: LinkIdentity, base: LinkIdentity): RegrainError {
  const cid = (value: number | undefined) => value === undefined ? "unknown" : formatCid(value);
  const own = child.identity?.own.cid;
  const hasIt = own !== undefined && own === base.identity?.own.cid && own !== child.identity?.parent.cid;
  const values = `parentCID of the delta ${cid(child.identity?.parent.cid)}, CID of the base ${
    cid(base.identity?.own.cid)
  }`;
  return new RegrainError("WRONG_BASE", `${verdict.reasons.join("; ")} (${values})`, {
    path: base.path,
    hint: hasIt
      ? "there is nothing left to do; regrain compare DELTA BASE says whether the base reads like it; " +
        "--force applies it once more"
      : "make sure that this is the base the snapshot was taken on; --force applies all the same",
  });
}

function sizeRefusal(disk: LinkIdentity, base: LinkIdentity): Reason | undefined {
  const [wanted, found] = [disk.capacitySectors, base.capacitySectors];
  if (wanted === undefined || found === undefined || wanted === found) return undefined;
  const sizeBytes = found * SECTOR_SIZE;
  // Of a device, which may be larger, no size is given here.
  const target = { path: base.path, sizeBytes, extents: extentFilesOf(base) };
  return sizeMismatch(target, wanted * SECTOR_SIZE);
}

/** The extents of a base by its descriptor, each where its name leads. */
function extentFilesOf(base: LinkIdentity): ExtentFile[] | undefined {
  const { path } = base;
  return descriptorOf(base)?.extents.map((line) => ({
    line,
    path: line.fileName === undefined ? path : joinPath(folderOf(path), looseNames(line.fileName).last),
  }));
}

function unknownsOf(known: Known, { deltas, base, verdicts }: Split): string[] {
  if (deltas.length === 0) return [];
  const unknowns = verdicts.slice(0, deltas.length - 1)
    .filter(({ state, refused }) => state === "unknown" && !refused)
    .map((verdict) => `whether ${verdict.child} belongs on ${verdict.parent}: ${verdict.reasons.join("; ")}`);
  deltas.forEach(({ path }, i) => {
    if (!known.findings[i]) unknowns.push(`whether the tables of ${path} are sound: they were not read yet`);
  });
  const oldest = deltas.at(-1)!;
  // A whole disk belongs on anything.
  if (isKnownBase(oldest)) return unknowns;
  const verdict = verdicts[deltas.length - 1];
  if (!base || !verdict) unknowns.push(`what ${oldest.path} belongs on: ${whyNoBase(oldest, known.beside)}`);
  else if (verdict.state === "unknown") unknowns.push(whyUnchecked(oldest, base, verdict));
  else {
    const doubt = copyDoubt(verdict, { child: oldest, base, beside: known.beside ?? [] });
    if (doubt !== undefined) unknowns.push(doubt);
  }
  return [...unknowns, ...known.against ?? []];
}

function whyNoBase(oldest: LinkIdentity, beside: readonly LinkIdentity[] = []): string {
  const hint = oldest.parent?.name;
  if (hint === undefined) return "nothing names its parent, and no base is here";
  const parent = beside.find((link) => isNamedParent(link, oldest));
  return parent === undefined
    ? `its parent "${hint}" is not here`
    : `its parent ${parent.path} is here, and was not given as what it is applied onto`;
}

function whyUnchecked(oldest: LinkIdentity, base: LinkIdentity, { reasons }: Verdict): string {
  const why = base.format === "raw"
    ? "a raw image has no content id that could be compared"
    : reasons.join("; ");
  return `whether ${base.path} is what ${oldest.path} was made on: ${why}`;
}

function stateOf(
  { deltas, refusals, unknowns }: {
    deltas: readonly LinkIdentity[];
    refusals: readonly RegrainError[];
    unknowns: readonly string[];
  },
): Judgement["state"] {
  if (deltas.length === 0) return "nothing";
  if (refusals.length > 0) return "refused";
  return unknowns.length > 0 ? "unknown" : "applies";
}

/** Stands for the copy of the base where none is here. */
const TARGET = "TARGET";

function commandOf(
  known: Known,
  { deltas, base, refusals }: Omit<Split, "verdicts"> & { refusals: readonly RegrainError[] },
): string | undefined {
  const isSurveyed = deltas.every((_, i) => known.findings[i]);
  const isDoubtful = (known.against?.length ?? 0) > 0;
  // A delta below that is not here must have been applied before, and nothing tells whether it was.
  const lowest = deltas.at(-1);
  const lacksDelta = !base && lowest !== undefined && isDeltaName(lowest.parent?.name ?? "");
  if (deltas.length === 0 || refusals.length > 0 || !isSurveyed || isDoubtful || lacksDelta) return undefined;
  return applyCommand({
    deltas: deltas.map(({ path }) => path).reverse(),
    target: base && isWritable(base) ? base.path : TARGET,
    flags: [...known.flags ?? [], ...known.force ? ["--force"] : []],
  });
}

/** True for what can be written in place: a raw image, or the descriptor of flat extents. */
export function isWritable(link: LinkIdentity): boolean {
  return link.format !== undefined && formatNamed(link.format).isWritable(link);
}
