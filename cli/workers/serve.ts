/** What each thread does, by its name. Bundled into one file, every thread starts as that file. */
import type { LaneName } from "../lanes/start.ts";

const LANES: Record<LaneName, () => Promise<() => void>> = {
  apply: async () => (await import("./apply_lane.ts")).serveApply,
  chunks: async () => (await import("./chunk_lane.ts")).serveChunks,
};

/** Makes this thread the lane of that name. */
export async function serveAs(name: string): Promise<void> {
  if (!(name in LANES)) throw new Error(`a thread was started as ${name}, which is no lane`);
  const serveLane = await LANES[name as LaneName]();
  serveLane();
}
