/** The links of a plan, opened: a chain as far as there are files for it. */
import {
  type Context,
  isKnownBase,
  judgeChain,
  Link,
  type LinkIdentity,
  openLink,
  RegrainError,
  type Role,
  sharedFile,
  unknownLink,
  type Verdict,
} from "../../../core-as/host/mod.ts";
import type { Plan } from "./plan.ts";

/** A chain as far as it could be opened. */
export interface Chain {
  /** Newest first; at least one. */
  readonly links: readonly Link[];
  /** Per link: whether the one below is the one it was made on. */
  readonly verdicts: readonly (Verdict | undefined)[];
  /** True when it reaches a base, so that every sector is known. */
  readonly isWhole: boolean;
  /** The links, and the base of which only the descriptor is here. */
  readonly identities: readonly LinkIdentity[];
  /** True when the last of those is a base. */
  readonly hasBase: boolean;
  /** Why a link below the last one cannot be opened, unless that is a base that is merely not here. */
  readonly broken: RegrainError | undefined;
  readonly remarks: readonly string[];
}

/** The links that could be opened, and what is known of the one that could not. */
interface OpenedLinks {
  readonly links: readonly Link[];
  readonly missing: LinkIdentity | undefined;
  readonly broken: RegrainError | undefined;
  readonly remarks: readonly string[];
}

/**
 * Opens the links of a plan. Where one below the first cannot be opened the chain ends above it, with a remark.
 *
 * @throws {RegrainError} what opening the newest link may.
 */
export async function openPlan(plan: Plan, context: Context): Promise<Chain> {
  const { links, missing, broken, remarks } = await openLinks(plan, context);
  const shared = sharedFile(links.flatMap(({ extents }) => extents));
  if (shared !== undefined) {
    throw new RegrainError("CHAIN_BROKEN", `two links have the same file ${shared}`, {
      path: links[0]!.path,
    });
  }
  const last = links.at(-1)!;
  const all = missing ? [...links, missing] : links;
  const identities = broken ? links : all;
  return {
    links,
    verdicts: [...judgeChain(all), ...(missing ? [] : [undefined])],
    isWhole: last.isBase,
    identities,
    hasBase: isKnownBase(identities.at(-1)!),
    broken,
    remarks: !missing && last.delta === true ? [...remarks, missingParent(last)] : remarks,
  };
}

async function openLinks(plan: Plan, context: Context): Promise<OpenedLinks> {
  const links: Link[] = [];
  const remarks = [...plan.remarks];
  for (const name of plan.names) {
    const above = links.at(-1);
    const item = plan.items.find((each) => each.name === name);
    const { role = "image", format } = item ?? {};
    const opened = await tryOpen(name, { ...context, format }, role);
    if (item?.remark !== undefined) remarks.push(item.remark);
    if (opened instanceof Link) {
      links.push(opened);
      continue;
    }
    if (!above) throw opened;
    remarks.push(`what ${above.path} was made on cannot be shown: ${opened.message}`);
    const missing = identityOf(name, plan);
    // Of a base that is not here its descriptor says enough.
    const isAbsent = opened.code === "NOT_FOUND" && isKnownBase(missing);
    return { links, missing, broken: isAbsent ? undefined : opened, remarks };
  }
  return { links, missing: undefined, broken: undefined, remarks };
}

function identityOf(name: string, { items }: Plan): LinkIdentity {
  return items.find((each) => each.name === name)?.said ?? unknownLink(name);
}

async function tryOpen(name: string, context: Context, role: Role): Promise<Link | RegrainError> {
  try {
    return await openLink(name, context, role);
  } catch (error) {
    if (error instanceof RegrainError) return error;
    throw error;
  }
}

function missingParent({ path, parent }: Link): string {
  const hint = parent?.name;
  const which = hint === undefined ? "its parent" : `its parent "${hint}"`;
  return `${path} is a delta and ${which} was not dropped: where the delta has nothing, nothing can be shown`;
}
