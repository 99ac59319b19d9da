/** A flat extent that is written in place of its descriptor: what that says is compared all the same. */
import {
  baseName,
  type Context,
  type Descriptor,
  descriptorBeside,
  identifyParent,
  judgeChain,
  type LinkIdentity,
  readLinkDescriptor,
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
  let descriptor: Descriptor | undefined;
  try {
    descriptor = await readLinkDescriptor(path, context, "parent");
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    return [`the descriptor beside the target cannot be read, and nothing was compared: ${error.message}`];
  }
  const names = descriptor?.extents.map(({ fileName }) => fileName && baseName(fileName));
  if (!names?.includes(baseName(target))) return [];
  const base = { path, descriptor, capacitySectors: descriptor?.capacitySectors };
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
  const named = await identifyParent(child, context);
  const { state, reasons } = judgeChain([...links, base], named ? [named] : []).at(-1)!;
  if (state === "match") return [];
  const said = reasons.join("; ");
  return [`${child.path} on ${base.path}, the descriptor of ${target}: ${state}: ${said}`];
}
