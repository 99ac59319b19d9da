/**
 * What a file looks like by its first bytes. What it is taken for is decided elsewhere: see `format_choice.ts`.
 *
 * This module is browser compatible.
 */
import { COWD_MAGIC } from "./vmdk/cowd.ts";
import { HEAD_BYTES, looksLikeDescriptor } from "./vmdk/descriptor_text.ts";
import { RegrainError } from "../errors.ts";
import { IMAGE_FORMATS, type ImageFormat } from "./image_format.ts";
import { HOSTED_MAGIC } from "./vmdk/hosted_sparse.ts";
import { SESPARSE_MAGIC } from "./vmdk/sesparse.ts";
import { readBytes, type Source } from "../source.ts";

export type Kind = "descriptor" | "hosted" | "cowd" | "sesparse" | "raw";

/** Formats that are recognised to say so, not to be read. */
const FOREIGN: readonly { name: string; at: number; magic: string }[] = [
  { name: "qcow2", at: 0, magic: "QFI\xfb" },
  { name: "VHDX", at: 0, magic: "vhdxfile" },
  { name: "VHD", at: 0, magic: "conectix" },
  { name: "QED", at: 0, magic: "QED\0" },
  { name: "Parallels", at: 0, magic: "WithoutFreeSpace" },
  { name: "Parallels", at: 0, magic: "WithouFreSpacExt" },
  { name: "an undo file (an rbd-diff stream)", at: 0, magic: "rbd diff v1\n" },
  { name: "VDI", at: 0x40, magic: "\x7f\x10\xda\xbe" },
  { name: "gzip", at: 0, magic: "\x1f\x8b" },
  { name: "zstd", at: 0, magic: "\x28\xb5\x2f\xfd" },
  { name: "xz", at: 0, magic: "\xfd7zXZ" },
  { name: "bzip2", at: 0, magic: "BZh" },
  { name: "zip", at: 0, magic: "PK\x03\x04" },
  { name: "tar (an OVA?)", at: 257, magic: "ustar" },
  { name: "a changed-block map (-ctk.vmdk)", at: 0, magic: "\xa2\x72\x19\xf6" },
];

/** The first bytes of a file, and what they say. */
export interface Probe {
  readonly kind: Kind;
  readonly head: Uint8Array;
  /** A format that is known by name only. */
  readonly foreign: string | undefined;
}

/** Looks at the first bytes. */
export async function probe(file: Source): Promise<Probe> {
  return probeHead(await readBytes(file, 0, Math.min(HEAD_BYTES, file.sizeBytes)));
}

/** Looks at the first bytes: {@link HEAD_BYTES}, or the whole file if that is shorter. */
export function probeHead(head: Uint8Array): Probe {
  return { kind: kindOf(head), head, foreign: foreignOf(head) };
}

function kindOf(head: Uint8Array): Kind {
  if (head.length >= 8) {
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    if (view.getUint32(0, true) === HOSTED_MAGIC) return "hosted";
    if (view.getUint32(0, true) === COWD_MAGIC) return "cowd";
    if (view.getBigUint64(0, true) === SESPARSE_MAGIC) return "sesparse";
  }
  return looksLikeDescriptor(head) ? "descriptor" : "raw";
}

/** The format of another program that bytes start with. */
export function foreignOf(head: Uint8Array): string | undefined {
  return FOREIGN.find(({ at, magic }) => startsAt(head, at, magic))?.name;
}

/** Whether bytes stand at a place, each given as a character. */
function startsAt(bytes: Uint8Array, at: number, magic: string): boolean {
  for (let i = 0; i < magic.length; i++) if (bytes[at + i] !== magic.charCodeAt(i)) return false;
  return true;
}

/** What each kind is called in a sentence. */
const KIND_NAMES: Record<Exclude<Kind, "raw">, string> = {
  descriptor: "a VMDK descriptor",
  hosted: "a hosted sparse VMDK (KDMV)",
  cowd: "a COWD VMDK",
  sesparse: "an SESparse VMDK",
};

/** What the first bytes look like, in words, if they look like anything. */
export function looksLike({ kind, foreign }: Pick<Probe, "kind" | "foreign">): string | undefined {
  return kind === "raw" ? foreign : KIND_NAMES[kind];
}

/** The format that images are read in and that the first bytes look like, if there is one. */
export function formatOfLooks({ kind, foreign }: Pick<Probe, "kind" | "foreign">): ImageFormat | undefined {
  return kind === "raw" ? IMAGE_FORMATS.find((format) => format === foreign) : "vmdk";
}

/** True of bytes that are text and nothing else: no disk begins so. */
export function looksLikeText(head: Uint8Array): boolean {
  const hasMark = head[0] === 0xff && head[1] === 0xfe || head[0] === 0xfe && head[1] === 0xff;
  const isText = (byte: number) =>
    byte >= 0x20 ? byte !== 0x7f : [0x09, 0x0a, 0x0c, 0x0d, 0x1a].includes(byte);
  return head.length > 0 && (hasMark || head.every(isText));
}

/** The error for a file that cannot be what it is used as. */
export function notADisk(
  file: Pick<Source, "path" | "sizeBytes">,
  { head, foreign }: Probe,
  hint =
    "accepted are VMDK descriptors, COWD (-delta.vmdk), SESparse (-sesparse.vmdk) and hosted sparse extents",
): RegrainError {
  const path = file.path;
  if (file.sizeBytes === 0) {
    return new RegrainError("NOT_A_DISK", "the file is empty", { path, offsetBytes: 0, hint });
  }
  const shown = Array.from(head.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const looks = foreign ? `, which is ${foreign}` : "";
  return new RegrainError("NOT_A_DISK", `not a VMDK: the first bytes are ${shown}${looks}`, {
    path,
    offsetBytes: 0,
    hint,
  });
}
