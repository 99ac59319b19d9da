/** Situations with a hint each: it is done what the hint says, and the command works then. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  BASE,
  BASE_CID,
  baseDisk,
  baseFiles,
  buildCowd,
  buildDescriptor,
  dataGrains,
  DELTA,
  deltaFiles,
  type Files,
  overlay,
} from "../../fixtures/mod.ts";
import { regrainExits, regrainRefuses } from "./cli.ts";
import { withTempDir } from "./peers.ts";

/** Of every disk here, in sectors. */
export const CAPACITY = 2048;
export const LINK = { capacitySectors: CAPACITY, grainSectors: 1, seed: 3, grains: dataGrains([5, 700]) };
/** What the delta over the base reads as. */
export const DISK = overlay(baseDisk(CAPACITY), LINK);

export const BASE_FILES = baseFiles({ capacitySectors: CAPACITY });
export const FLAT = BASE_FILES[BASE.flat]!;

/** A delta on the base, and its descriptor. */
export function delta(descriptor: Record<string, string | undefined> = {}, name = DELTA): Files {
  const { bytes } = buildCowd(LINK);
  return deltaFiles({ kind: "cowd", bytes, capacitySectors: CAPACITY, name, descriptor });
}

/** A descriptor whose one extent is called so. */
export function flatDescriptor(file: string, cid = BASE_CID, sectors = CAPACITY): Uint8Array<ArrayBuffer> {
  const extents = [{ sectors, type: "FLAT", file, offsetSectors: 0 }];
  return buildDescriptor({ createType: "monolithicFlat", cid, extents });
}

/** The files of the base in a folder of their own. */
export function baseIn(folder: string, descriptor = BASE_FILES[BASE.descriptor]!): Files {
  return { [`${folder}/${BASE.descriptor}`]: descriptor, [`${folder}/${BASE.flat}`]: FLAT };
}

export interface Row {
  readonly situation: string;
  readonly files: Files;
  /** A file that is there under another name, for who finds it again. */
  readonly kept?: { readonly name: string; readonly as: string };
  readonly args: readonly string[];
  readonly code: string;
  readonly exit?: number;
  readonly hint: RegExp;
  /**
   * Does what the hint says.
   *
   * @param said What the hint's groups caught.
   * @returns the arguments to try then.
   */
  follow(said: string[], cwd: string): readonly string[];
  /** Exit status that shows that it worked; 0 by default. */
  readonly works?: number;
}

/** Writes the files of a row, and the disk that is to be read as `want.img`. */
function arrange(row: Row, cwd: string): void {
  for (const [name, bytes] of Object.entries({ "want.img": DISK, ...row.files })) {
    Deno.mkdirSync(join(cwd, name, ".."), { recursive: true });
    Deno.writeFileSync(join(cwd, name), bytes);
  }
  if (row.kept) Deno.renameSync(join(cwd, row.kept.name), join(cwd, row.kept.as));
}

/** Makes the situation, looks for the hint, follows it, and asserts that it worked. */
export function followHint(row: Row): Promise<void> {
  return withTempDir((folder) => {
    const cwd = join(folder, "vm");
    Deno.mkdirSync(cwd);
    arrange(row, cwd);
    const { hint = "" } = regrainRefuses({ code: row.code, exit: row.exit ?? 4 }, row.args, { cwd });
    const match = row.hint.exec(hint);
    assert.ok(match, `the hint is: ${hint}`);
    regrainExits(row.works ?? 0, row.follow(match.slice(1), cwd), { cwd });
  });
}
