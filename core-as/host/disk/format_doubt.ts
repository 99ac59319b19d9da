/**
 * Parents whose format nobody says: raw by then, since the first bytes of a raw disk are its guest's. Where these
 * look like an image, qemu would read it as that one, and the two are different disks.
 *
 * This module is browser compatible.
 */
import { looksLike, probe } from "../formats/probe.ts";
import { Link } from "./link.ts";

/** The parent, with the doubt where there is one. */
export async function withFormatDoubt(child: Link | undefined, parent: Link): Promise<Link> {
  const file = parent.files[0];
  if (child?.parent?.by?.isSaid !== false || file === undefined) return parent;
  const looks = looksLike(await probe(file));
  if (looks === undefined) return parent;
  const { path, said, extents, findings } = parent;
  const message =
    `it begins like ${looks}, and ${child.path}, whose backing file it is, names no format for it`;
  const doubt = { severity: "doubt", kind: "backing-format-unsaid", path, offsetBytes: 0, message } as const;
  return new Link(said, extents, [...findings, doubt]);
}
