/**
 * What of a listing an actor can tell from another one. Listings of signs differ in much that nobody looks at; when an
 * actor is shown only what it looks at, states that differ in nothing else are one. Time stands still here, so nothing
 * is tidied away by its age. That this hides nothing is tested: small explorations end alike with and without it, and
 * random schedules do without.
 */
import type { ObjectInfo } from "../../core-as/host/repo/mod.ts";
import type { Operation } from "./steps.ts";

/** What an actor has seen when it lists. */
export interface Context {
  /** The operation before. */
  readonly last: Operation | undefined;
  /** The last listing of manifests. */
  readonly manifests: readonly ObjectInfo[];
}

export type Projection = (
  prefix: string,
  infos: readonly ObjectInfo[],
  context: Context,
) => readonly ObjectInfo[];

/** Shows everything. */
export const everything: Projection = (_, infos) => infos;

/** Shows what matters. */
export const whatMatters: Projection = (prefix, infos, { last, manifests }) => {
  const after = last?.kind === "list" ? last.prefix : last?.kind;
  // Only tidying lists the condemned after the signs, to see which are old; none is.
  if (prefix === "gc/") return after === "active/" ? [] : infos;
  if (prefix !== "active/") return infos;
  const done = new Set(infos.filter(({ key }) => key.endsWith("/done")).map(({ key }) => idOf(key)));
  const left = infos.filter(({ key }) => !done.has(idOf(key)));
  // After the manifests, the signs are listed to see which manifests are doubtful.
  if (after?.startsWith("snaps/")) {
    const ids = new Set(
      manifests.map(({ key }) => key.slice(key.lastIndexOf("/") + 1, key.lastIndexOf("."))),
    );
    return left.filter(({ key }) => /\/(expired|failed)$/.test(key) && ids.has(idOf(key)));
  }
  // After the content was listed or removed, they are listed to see which are old; none is.
  if (after === "remove" || after === "maps/") return [];
  const failed = new Set(left.filter(({ key }) => key.endsWith("/failed")).map(({ key }) => idOf(key)));
  return left.filter(({ key }) => key.endsWith("/intent.json") && !failed.has(idOf(key)));
};

/** Shows what matters when some actor's clock is ahead, so that it tidies away what the others have just written. */
export const whatMattersLater: Projection = (prefix, infos, context) => {
  const { last } = context;
  const tidies = last?.kind === "remove" || (last?.kind === "list" && /^(maps|gc)\/$/.test(last.prefix));
  return prefix === "active/" && tidies ? infos : whatMatters(prefix, infos, context);
};

function idOf(key: string): string {
  return key.split("/")[1]!;
}
