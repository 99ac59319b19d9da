/** A flat extent that is written in place of its descriptor: what that says is compared all the same. */
import {
  baseName,
  type Context,
  copyDoubt,
  descriptorBeside,
  identifyLink,
  judgeChain,
  type LinkIdentity,
  namedBeside,
  RegrainError,
} from "../../core-as/host/mod.ts";

/**
 * What is to be said of a target that has a descriptor beside it.
 *
 * @param links What is applied, newest first.
 */
export async function warningsBeside(
  target: string,
  links: readonly LinkIdentity[],
  context: Context,
): Promise<string[]> {
  const path = descriptorBeside(target);
  if (path === undefined || !await context.files.exists(path)) return [];
  let base: LinkIdentity;
  try {
    base = await identifyLink(path, context, "parent");
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    return [`the descriptor beside the target cannot be read, and nothing was compared: ${error.message}`];
  }
  const names = base.identity?.fileNames.map(baseName);
  if (!names?.includes(baseName(target))) return [];
  // What comes from an undo file changes the CID, if any, to what it was.
  if (links.length === 0) return [];
  return [
    ...await comparison(links, { base, target, context }),
    `${path} keeps its old CID: give it as the target, and it takes the delta's`,
  ];
}

async function comparison(
  links: readonly LinkIdentity[],
  { base, target, context }: { base: LinkIdentity; target: string; context: Context },
): Promise<string[]> {
  const child = links.at(-1);
  if (child === undefined) return [];
  const beside = await namedBeside([...links, base], context);
  const verdict = judgeChain([...links, base], beside).at(-1)!;
  const { state, reasons } = verdict;
  const doubt = copyDoubt(verdict, { child, base, beside });
  if (state === "match") return doubt === undefined ? [] : [doubt];
  const said = reasons.join("; ");
  return [`${child.path} on ${base.path}, the descriptor of ${target}: ${state}: ${said}`];
}
