/** Whether another program may write to a source: by its locks, by mounts, and by what the kernel counts. */
import type { SystemFiles } from "./in_use.ts";
import { deviceName } from "./types.ts";

/** Bytes that QEMU locks of an image that it writes to or resizes (`block/file-posix.c`: 100 and the permission). */
export const QEMU_WRITES_FROM = 101;
export const QEMU_WRITES_BYTES = 3;

export const HELD_FOR_WRITING = "another program has it open for writing (a running virtual machine?)";
export const HELD_LOCKED = "another program holds a lock on it, as one does that writes to it";

/**
 * Writes to a block device so far, as its driver counts them: what was handed to it, be it by a file system or by
 * another program. `undefined` where the system does not tell.
 */
export function writesSoFar(system: SystemFiles, rdev: number): number | undefined {
  // Fields of the file: reads, merged reads, sectors read, ms; writes, merged writes, sectors written, …
  const fields = system.readText(`/sys/dev/block/${deviceName(rdev)}/stat`)?.trim().split(/\s+/);
  const sectors = Number(fields?.[6] ?? NaN);
  return Number.isSafeInteger(sectors) ? sectors : undefined;
}

/** Watches a block device from when it was opened: it has no time of its last change, but a count. */
export class DeviceWatch {
  private readonly before: number | undefined;

  constructor(private readonly system: SystemFiles, private readonly rdev: number) {
    this.before = writesSoFar(system, rdev);
  }

  changed(): string | undefined {
    const now = writesSoFar(this.system, this.rdev);
    if (now === undefined || this.before === undefined || now === this.before) return undefined;
    return `${now - this.before} sectors of it were written`;
  }

  displaced(): undefined {
    return undefined;
  }
}
