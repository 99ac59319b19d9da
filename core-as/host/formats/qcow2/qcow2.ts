/**
 * qcow2, the record: read-only, versions 2 and 3, by name or by what the user says, never by content.
 *
 * This module is browser compatible.
 */
import { Link, type LinkFacts } from "../../disk/link.ts";
import type { Finding } from "../../extent.ts";
import { RegrainError } from "../../errors.ts";
import { readBytes, type Source } from "../../source.ts";
import type { FormatRecord } from "../format.ts";
import type { ParentHint } from "../parent_hint.ts";
import { looksLike, probe } from "../probe.ts";
import { backingHint, unsaidFormat } from "./backing.ts";
import { openQcow2 } from "./extent.ts";
import { QCOW2_MAGIC, readQcow2Header } from "./header.ts";

export const QCOW2: FormatRecord = {
  name: "qcow2",
  hasName: (path) => /\.qcow2$/i.test(path),
  async wayInto(file) {
    if (await startsQcow2(file)) return { format: "qcow2", as: "whole" };
    return { as: "refused", error: await noQcow2(file) };
  },
  async open(file, _, context) {
    const { path } = file;
    const header = await readQcow2Header(file);
    const parent = backingHint(path, header);
    const extent = await openQcow2(file, header, context.unpackers);
    const unsaid = unsaidFormat(path, header);
    if (unsaid !== undefined) context.warn(`${path}: ${unsaid}`);
    const findings: Finding[] = unsaid === undefined ? [] : [{
      severity: "note",
      kind: "backing-format-unsaid",
      path,
      offsetBytes: header.backing!.at,
      message: unsaid,
    }];
    const placed = { extent, startSector: 0, lengthSectors: header.capacitySectors };
    return new Link(qcow2Identity(path, parent), [placed], findings);
  },
  async identify(file) {
    const header = await readQcow2Header(file);
    const parent = backingHint(file.path, header);
    return { ...qcow2Identity(file.path, parent), capacitySectors: header.capacitySectors };
  },
  // It is read, and nothing is written into it.
  isWritable: () => false,
};

function qcow2Identity(path: string, parent: ParentHint | undefined): LinkFacts {
  return { path, format: "qcow2", delta: parent !== undefined, identity: undefined, parent };
}

async function startsQcow2(file: Source): Promise<boolean> {
  if (file.sizeBytes < 4) return false;
  return new DataView((await readBytes(file, 0, 4)).buffer).getUint32(0) === QCOW2_MAGIC;
}

async function noQcow2(file: Source): Promise<RegrainError> {
  const looks = looksLike(await probe(file));
  const found = looks === undefined ? "it does not begin like one" : `it begins like ${looks}`;
  return new RegrainError("NOT_A_DISK", `no qcow2: ${found}`, {
    path: file.path,
    offsetBytes: 0,
    hint: "--format raw reads it as a raw disk, --format vmdk as a VMDK, whatever its name says",
  });
}
