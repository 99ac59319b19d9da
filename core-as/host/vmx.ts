/**
 * The .vmx of a VM: its name, its disks, and which link of each it runs on. Read leniently: it is only shown.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "./errors.ts";
import { readBytes, type Source } from "./source.ts";

/** Those of large VMs have a few hundred lines; what an encrypted one has in one line is longer. */
const MAX_VMX_BYTES = 1024 * 1024;
/** More slots than any VM has: 4 SCSI and 4 NVMe controllers of 64, 4 SATA of 30. */
const MAX_DISKS = 1024;

/** A disk as the .vmx has it. */
export interface VmxDisk {
  /** `scsi0:0`. */
  readonly slot: string;
  /** As written there: often a name alone, else a path on the host. */
  readonly fileName: string;
}

export interface Vmx {
  readonly displayName: string | undefined;
  /** True when the VM is encrypted, so that its disks may be missing here. */
  readonly encrypted: boolean;
  /** In the order of their slots. */
  readonly disks: readonly VmxDisk[];
}

/** @throws {RegrainError} `LIMIT_EXCEEDED`. */
export async function readVmx(file: Source): Promise<Vmx> {
  if (file.sizeBytes > MAX_VMX_BYTES) {
    const message = `a .vmx of ${file.sizeBytes} bytes, at most 1 MiB is believed`;
    throw new RegrainError("LIMIT_EXCEEDED", message, { path: file.path });
  }
  return parseVmx(decodeVmx(await readBytes(file, 0, file.sizeBytes)));
}

/** Its own `.encoding` key says how it is written; without one, or with one that is not known, it is UTF-8. */
function decodeVmx(bytes: Uint8Array): string {
  const ascii = new TextDecoder("latin1").decode(bytes);
  const named = /^[ \t]*\.encoding[ \t]*=[ \t]*"([\w-]+)"/im.exec(ascii)?.[1] ?? "utf-8";
  for (const label of [named, "utf-8"]) {
    try {
      return new TextDecoder(label, { fatal: true }).decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    }
  }
  return new TextDecoder("windows-1252").decode(bytes);
}

export function parseVmx(text: string): Vmx {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [, key, value] = /^\s*([^#=\s][^=]*?)\s*=\s*"?(.*?)"?\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values.set(key.toLowerCase(), unescapeValue(value));
  }
  return {
    displayName: values.get("displayname") || undefined,
    encrypted: [...values.keys()].some((key) => key.startsWith("encryption.")),
    disks: disksOf(values),
  };
}

function disksOf(values: ReadonlyMap<string, string>): VmxDisk[] {
  const disks: VmxDisk[] = [];
  for (const [key, fileName] of values) {
    const [, slot] = /^((?:scsi|sata|ide|nvme)\d{1,2}:\d{1,2})\.filename$/.exec(key) ?? [];
    if (slot === undefined || !/\.vmdk$/i.test(fileName)) continue;
    if (values.get(`${slot}.present`)?.toLowerCase() === "false") continue;
    if (disks.length < MAX_DISKS) disks.push({ slot, fileName });
  }
  return disks.sort((a, b) => a.slot.localeCompare(b.slot, "en", { numeric: true }));
}

/** A quote, a bar and such are written as a bar and two hexadecimal digits. */
function unescapeValue(value: string): string {
  return value.replace(/\|([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}
