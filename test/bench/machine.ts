/** What was measured on. */
import { run } from "../helpers/peers.ts";

/** Processor, cores, memory, kernel, runtime and day, in one line. */
export function machineLine(): string {
  const model = /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ??
    Deno.build.arch;
  const memoryGib = (Deno.systemMemoryInfo().total / 2 ** 30).toFixed(0);
  const day = new Date().toISOString().slice(0, 10);
  return `${model}, ${navigator.hardwareConcurrency} cores, ${memoryGib} GiB, Linux ${Deno.osRelease()}, ` +
    `Deno ${Deno.version.deno}, ${day}`;
}

/** Bytes that may be written to a folder in memory: neither its limit nor the machine's memory may run out. */
export function roomBytes(folder: string): number {
  const freeBytes = Number(run("df", ["--output=avail", "-B1", folder]).trim().split("\n").at(-1));
  return Math.min(freeBytes, Deno.systemMemoryInfo().available);
}
