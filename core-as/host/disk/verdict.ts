/**
 * Verdicts: whether a link was made against the one below it.
 *
 * What can prove it: the content id, where no other link has the same one; the uuid that VirtualBox writes; the name
 * that the child gives for its parent. ESXi writes a new content id only when the VM is opened again, so a chain that
 * was made while the VM ran has one id in all of its links, and a link can be missing though the ids fit. A name alone
 * never makes a match of a parent that has no content id: guests and users choose names.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { isKnownBase, isKnownDelta, type LinkIdentity } from "../formats/identity.ts";
import { formatCid, NEVER_WRITTEN, NO_PARENT } from "../formats/vmdk/descriptor.ts";
import { baseName, foldName, isRedoName } from "../names.ts";

/** What a verdict rests on; `numbers`: that of the names, as in `vm-000002-delta.vmdk`, and nothing else. */
export type Basis = "cid" | "uuid" | "name" | "size" | "numbers" | "nothing";

/** What is known of a child and its parent. */
export interface Verdict {
  /** `match`: it is the parent. `mismatch`: it is not. `unknown`: it cannot be checked, and is never shown as fine. */
  readonly state: "match" | "unknown" | "mismatch";
  readonly basis: Basis;
  /** True when a chain with this pair is used with `--force` alone. */
  readonly refused: boolean;
  /** Path of the child. */
  readonly child: string;
  /** Path of the parent. */
  readonly parent: string;
  /** Sentences for a person. */
  readonly reasons: readonly string[];
}

/**
 * Judges each two neighbours of a chain.
 *
 * @param links Newest first. All of them: an id that two links have proves nothing.
 * @param beside Other links that are known, such as the one that the oldest names as its parent.
 * @returns one verdict for each link but the last.
 */
export function judgeChain(
  links: readonly LinkIdentity[],
  beside: readonly LinkIdentity[] = [],
): Verdict[] {
  return links.slice(1).map((_, i) => judgePair(links, i, beside));
}

/** Judges a child and its parent when nothing is known of other links. */
export function judge(child: LinkIdentity, parent: LinkIdentity): Verdict {
  return judgeChain([child, parent])[0]!;
}

/** What one kind of evidence says. */
interface Evidence {
  readonly state: Verdict["state"];
  readonly basis: Basis;
  readonly reasons: readonly string[];
}

function judgePair(
  chain: readonly LinkIdentity[],
  index: number,
  beside: readonly LinkIdentity[],
): Verdict {
  const child = chain[index]!;
  const parent = chain[index + 1]!;
  const size = sizeEvidence(child, parent);
  const ids = idEvidence({ child, parent, others: chain.filter((link) => link !== parent), beside });
  const { state, basis } = size?.state === "mismatch" && ids.state !== "mismatch" ? size : ids;
  return {
    state,
    basis,
    // A single bare delta over a base is taken with a warning; between deltas something must tell the order.
    refused: state === "mismatch" || (state === "unknown" && basis === "nothing" && !isKnownBase(parent)),
    child: child.path,
    parent: parent.path,
    reasons: [...ids.reasons, ...size?.reasons ?? []],
  };
}

/** The first kind of evidence that decides. */
function idEvidence(family: Family): Evidence {
  const { child, parent } = family;
  const backing = child.parent;
  if (backing?.by) return byNameAlone(backing.name);
  const uuid = uuidEvidence(child, parent);
  const expected = uuid && !hasParentCid(child) ? undefined : child.identity?.parent.cid;
  const found = parent.identity?.own.cid;
  if (expected !== undefined && found !== undefined && expected !== found) {
    return found === child.identity?.own.cid ? hasItAlready(found) : otherCid(expected, found);
  }
  if (uuid && uuid.state !== "unknown") return uuid;
  if (expected !== undefined && found !== undefined) return equalCid(found, family);
  return uuid ?? withoutCid(family);
}

/** Where the child's format has no ids, its header names the parent, and nothing says what that held then. */
function byNameAlone(name: string): Evidence {
  const reason =
    `"${name}" is what the header names as its parent, and the format has no content ids: nothing tells ` +
    "whether that was written to since";
  return { state: "unknown", basis: "name", reasons: [reason] };
}

function hasParentCid({ identity }: LinkIdentity): boolean {
  return identity?.parent.cid !== undefined && identity.parent.cid !== NO_PARENT;
}

/** As an apply leaves a base: with the content id of the delta that it took. */
function hasItAlready(cid: number): Evidence {
  const reason = `the parent has the CID of this delta itself, ${
    formatCid(cid)
  }: it was applied to it already`;
  return { state: "mismatch", basis: "cid", reasons: [reason] };
}

function otherCid(expected: number, found: number): Evidence {
  const reason = `parentCID ${formatCid(expected)} is not the parent's CID ${formatCid(found)}: ` +
    "the parent was written to after this delta was made, or it is another disk";
  return { state: "mismatch", basis: "cid", reasons: [reason] };
}

/** A child and its parent, and all else that is known. */
interface Family {
  readonly child: LinkIdentity;
  readonly parent: LinkIdentity;
  /** All links but the parent. */
  readonly others: readonly LinkIdentity[];
  /** Links that are known, and are not among those that are judged. */
  readonly beside: readonly LinkIdentity[];
}

/**
 * The ids are equal. That proves it where no other link has the same one; and even then a link may be left out between
 * the two, with the id of the parent, which only the name can tell.
 */
function equalCid(cid: number, family: Family): Evidence {
  const { child, parent, others } = family;
  const said = `parentCID ${formatCid(cid)} is the parent's CID`;
  const more = longContentIdReasons(parent, cid);
  const { named, reason } = nameEvidence(child, parent);
  if (named === false && (isKnownDelta(parent) || namesDelta(child))) {
    const applied = appliedBefore(cid, family);
    if (applied === undefined) {
      return { state: "mismatch", basis: "name", reasons: [`${said}; but ${reason}`, ...more] };
    }
    return {
      state: "match",
      basis: "cid",
      reasons: [`${said}, which it has from ${applied}, applied before`, ...more],
    };
  }
  if (cid !== NEVER_WRITTEN && !others.some(({ identity }) => identity?.own.cid === cid)) {
    const renamed = named === false ? [`${reason}: one of them was renamed`] : [];
    return { state: "match", basis: "cid", reasons: [said, ...renamed, ...more] };
  }
  const weak = cid === NEVER_WRITTEN
    ? `${said}, which every disk has that was never written to, so it proves little`
    : `${said}, and that of other links too, so it tells nothing`;
  const other = otherThanNamed(family);
  if (other !== undefined) return { state: "mismatch", basis: "name", reasons: [`${weak}; but ${other}`] };
  const state = named === undefined ? "unknown" : named ? "match" : "mismatch";
  const basis = named === undefined ? "nothing" : "name";
  return { state, basis, reasons: [`${weak}; ${reason}`, ...more] };
}

/**
 * The name fits, and leads to another file than this: two VMs of one template call their files alike. A base may be a
 * copy of the one that is named, a delta is not copied alone.
 */
function otherThanNamed({ child, parent, beside }: Family): string | undefined {
  const named = isKnownBase(parent) ? undefined : namedElsewhere(child, parent, beside);
  return named &&
    `${named.path} is what it names as its parent, and that is another file than ${parent.path}`;
}

/** The link that a child names as its parent, where that is known, and is another file of the same name. */
export function namedElsewhere(
  child: LinkIdentity,
  parent: LinkIdentity,
  beside: readonly LinkIdentity[],
): LinkIdentity | undefined {
  if (!nameEvidence(child, parent).named) return undefined;
  return beside.find((link) => link.path !== parent.path && isNamedParent(link, child));
}

/** True for the very link that a child names; files of several folders may have that name. */
export function isNamedParent(link: LinkIdentity, child: LinkIdentity): boolean {
  if (link.namedBy !== undefined && link.namedBy !== child.path) return false;
  return nameEvidence(child, link).named === true;
}

/** True when the name given for the parent is that of a delta. */
function namesDelta(link: LinkIdentity): boolean {
  return isDeltaName(link.parent?.name ?? "");
}

/** True for a name that VMware gives a delta, such as `vm-000001.vmdk`, whichever folder it is in. */
export function isDeltaName(name: string): boolean {
  return NUMBERED.test(lastPart(name)) || isRedoName(lastPart(name));
}

/** The delta that is named as the parent, when the base has taken its content id since: an apply leaves it there. */
function appliedBefore(cid: number, { child, parent, others, beside }: Family): string | undefined {
  if (!isKnownBase(parent)) return undefined;
  const named = beside.find((link) =>
    isNamedParent(link, child) && !others.some(({ path }) => path === link.path)
  );
  const { identity } = named ?? {};
  if (identity?.own.cid !== cid || identity.parent.cid === undefined) return undefined;
  return identity.parent.cid === cid ? undefined : named?.path;
}

/** Where the two ids end differently, somebody wrote one of them alone. */
function longContentIdReasons({ identity }: LinkIdentity, cid: number): string[] {
  const long = identity?.own.longContentId;
  if (long === undefined || long.slice(-8).toLowerCase() === formatCid(cid)) return [];
  return [`the parent's longContentID ends in ${long.slice(-8)}, its CID is ${formatCid(cid)}`];
}

/** One of the two has no content id: nothing is proven, but a name can still speak against it. */
function withoutCid(family: Family): Evidence {
  const { child, parent } = family;
  const who = child.identity?.parent.cid === undefined ? "the child" : "the parent";
  const missing = `content ids cannot be compared: ${who} has no descriptor that tells one`;
  // A copy of the base is called as the user likes; a delta, or what has an identity, by the name that others know.
  const hasOwnName = parent.identity !== undefined || parent.delta === true;
  const { named, reason } = nameEvidence(child, parent);
  const other = otherThanNamed(family);
  if (other !== undefined) return { state: "mismatch", basis: "name", reasons: [`${missing}; ${other}`] };
  if (named === true) return { state: "unknown", basis: "name", reasons: [`${missing}; ${reason}`] };
  if (named === false && hasOwnName) {
    return { state: "mismatch", basis: "name", reasons: [`${missing}; ${reason}`] };
  }
  if (followsByNumber(child.path, parent.path)) {
    const order = "the numbers of their names rise, which is all that tells their order";
    return { state: "unknown", basis: "numbers", reasons: [`${missing}; ${order}`] };
  }
  return { state: "unknown", basis: "nothing", reasons: [missing] };
}

/** Whether the name that the child gives for its parent is that of the parent; `undefined`: it gives none. */
function nameEvidence(
  child: LinkIdentity,
  parent: LinkIdentity,
): { named: boolean | undefined; reason: string } {
  const hint = child.parent?.name;
  if (hint === undefined) return { named: undefined, reason: "and no name of a parent is given" };
  const last = lastPart(hint);
  const named = namesOf(parent).some((name) => foldName(name) === foldName(last));
  return {
    named,
    reason: named
      ? `by its name "${last}" it is the parent`
      : `"${last}" is named as the parent, and that is not ${baseName(parent.path)}`,
  };
}

/** Names that a link is known by: its own, those of its files, and for a bare extent that of its descriptor. */
export function namesOf({ path, identity }: Pick<LinkIdentity, "path" | "identity">): string[] {
  const own = lastPart(path);
  const files = identity?.fileNames.map(lastPart) ?? [];
  return [own, own.replace(/-(?:delta|sesparse|flat)(?=\.(?:vmdk|REDO_\w{6})$)/i, ""), ...files];
}

/** Last part of a name as any system writes it: with slashes, backslashes, or a datastore in brackets. */
function lastPart(name: string): string {
  return name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1).replace(
    /^\[[^\]]*\]\s*/,
    "",
  );
}

const NUMBERED = /^(.*)-(\d{6})(?:-delta|-sesparse)?\.vmdk$/i;

/** True for `vm-000002-delta.vmdk` above `vm-000001-delta.vmdk`. */
function followsByNumber(child: string, parent: string): boolean {
  const [, childStem, childNumber] = NUMBERED.exec(lastPart(child)) ?? [];
  const [, parentStem, parentNumber] = NUMBERED.exec(lastPart(parent)) ?? [];
  return childStem !== undefined && childStem === parentStem && Number(childNumber) > Number(parentNumber);
}

/** What VirtualBox's uuids say; `undefined` where the child names no parent by one. */
function uuidEvidence(child: LinkIdentity, parent: LinkIdentity): Evidence | undefined {
  const expected = child.identity?.parent.uuid;
  if (expected === undefined) return undefined;
  const found = parent.identity?.own.uuid;
  if (found === undefined) {
    const reason =
      `the parent is named by ddb.uuid.parent ${expected} alone, and this one has no ddb.uuid.image`;
    return { state: "unknown", basis: "nothing", reasons: [reason] };
  }
  if (found !== expected) {
    const reason =
      `ddb.uuid.parent ${expected} is not the parent's ddb.uuid.image ${found}: it is another disk`;
    return { state: "mismatch", basis: "uuid", reasons: [reason] };
  }
  const said = `ddb.uuid.parent ${expected} is the parent's ddb.uuid.image`;
  const before = child.identity?.parent.modificationUuid;
  const now = parent.identity?.own.modificationUuid;
  if (before === undefined || now === undefined || before === now) {
    return { state: "match", basis: "uuid", reasons: [said] };
  }
  const changed = "by its ddb.uuid.modification the parent was written to after this delta was made";
  return { state: "mismatch", basis: "uuid", reasons: [said, changed] };
}

function sizeEvidence(child: LinkIdentity, parent: LinkIdentity): Evidence | undefined {
  if (child.capacitySectors === undefined || parent.capacitySectors === undefined) return undefined;
  if (child.capacitySectors === parent.capacitySectors || child.parent?.by) return undefined;
  const sizes = `${child.capacitySectors} sectors, the parent ${parent.capacitySectors}`;
  if (child.capacitySectors > parent.capacitySectors) {
    return { state: "match", basis: "size", reasons: [`the disk was grown: the child has ${sizes}`] };
  }
  return {
    state: "mismatch",
    basis: "size",
    reasons: [`the child has ${sizes}: a disk cannot shrink`],
  };
}

/** What `--force` risks where a chain is read or written that does not belong together. */
export const FORCE_RISK = "--force goes on all the same; the result is then a disk that never existed";

/** Why a chain with this pair is not used; `undefined` when it is. */
export function refusalOf(verdict: Verdict): RegrainError | undefined {
  if (!verdict.refused) return undefined;
  return new RegrainError("CHAIN_BROKEN", `${verdict.reasons.join("; ")} (parent: ${verdict.parent})`, {
    path: verdict.child,
    hint: FORCE_RISK,
  });
}

/** Throws `CHAIN_BROKEN` when two links do not belong together, or nothing tells that they do. */
export function requireMatch(verdict: Verdict): void {
  const refusal = refusalOf(verdict);
  if (refusal) throw refusal;
}
