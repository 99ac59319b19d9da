/**
 * What `check` verifies beside what reading needs: the accounts that a writer of the image relies on. They are apart
 * from the records of the formats, so that the page, which reads alone, carries none of it.
 *
 * This module is browser compatible.
 */
import type { Link } from "../disk/link.ts";
import type { Finding } from "../extent.ts";
import type { Source } from "../source.ts";
import type { ImageFormat } from "./image_format.ts";
import { checkRefcounts } from "./qcow2/refcounts.ts";

type Check = (file: Source, onFinding: (finding: Finding) => void) => Promise<void>;

const CHECKS: Partial<Record<ImageFormat, Check>> = { qcow2: checkRefcounts };

/** Verifies the accounts of a link, where its format has any. */
export async function checkUpkeep(link: Link, onFinding: (finding: Finding) => void): Promise<void> {
  const check = CHECKS[link.format];
  if (check === undefined) return;
  for (const file of link.files) await check(file, onFinding);
}
