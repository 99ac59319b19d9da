/** A flat extent that is restored while its descriptor stays: what that says then holds for another disk. */
import {
  baseName,
  type Context,
  descriptorBeside,
  formatCid,
  identifyLink,
  RegrainError,
} from "../../core-as/host/mod.ts";

/**
 * What is to be said of a descriptor beside the file that is written: nothing where there is none, or it fits.
 *
 * @param cid Of the disk that is restored, where that is known.
 */
export async function descriptorDoubt(
  path: string,
  cid: string | undefined,
  context: Context,
): Promise<string[]> {
  const beside = descriptorBeside(path);
  if (beside === undefined || !await context.files.exists(beside)) return [];
  try {
    const { identity } = await identifyLink(beside, context, "parent");
    const names = identity?.fileNames.map(baseName);
    if (identity?.own.cid === undefined || !names?.includes(baseName(path))) return [];
    const old = formatCid(identity.own.cid);
    if (old === cid) return [];
    return [
      `${beside} names ${path} and keeps its CID ${old}, and the disk that is restored has ` +
      `${
        cid === undefined ? "no CID that is known" : `CID ${cid}`
      }: deltas that fit by the descriptor may not fit ` +
      "the disk; restore --delta onto the descriptor changes both, restore --format vmdk-flat makes both",
    ];
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    return [
      `${beside}, the descriptor beside it, cannot be read, and nothing was compared: ${error.message}`,
    ];
  }
}
