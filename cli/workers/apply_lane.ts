/** The second lane: a worker that opens the same files and does its share of the stripes. */
import { Disk, RegrainError, type Target } from "../../core-as/host/mod.ts";
import { type ApplyCounts, applyDisk } from "../apply/engine.ts";
import {
  type LaneAnswer,
  LaneBoard,
  type LaneJob,
  type LaneTasks,
  sendable,
  type VerifiedPart,
} from "../apply/lanes.ts";
import { openLinks } from "../apply/prepare.ts";
import { joinTarget } from "../target/prepare.ts";
import { createContext } from "../context.ts";
import { pickIo } from "../io/mod.ts";

/** What a worker's global scope has and the main one has not. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<LaneJob>) => void) | null;
  postMessage(answer: LaneAnswer): void;
}

/** Makes this thread a lane: it waits for its job. */
export function serveLane(): void {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = async ({ data }) => scope.postMessage(await workOn(data));
}

async function workOn(job: LaneJob): Promise<LaneAnswer> {
  const board = new LaneBoard(job.task, job.shared);
  try {
    return { type: "done", result: await carryOut(job) };
  } catch (error) {
    board.stop();
    if (error instanceof RegrainError) return { type: "failed", error: sendable(error) };
    return { type: "bug", trace: error instanceof Error ? error.stack ?? error.message : String(error) };
  }
}

async function carryOut(job: LaneJob): Promise<LaneTasks[keyof LaneTasks]> {
  const io = pickIo();
  const context = createContext(io, { ...job.names, ignoreJournal: job.ignoreJournal, format: job.format });
  const { links } = await openLinks(job.request, context);
  const disk = new Disk(context.core, links);
  let target: Target | undefined;
  try {
    target = await joinTarget(job.request.target, { io, context });
    return await (job.task === "apply" ? apply : verify)(disk, target, job);
  } finally {
    target?.close();
    disk.close();
  }
}

async function apply(disk: Disk, target: Target, job: LaneJob): Promise<ApplyCounts> {
  const board = new LaneBoard("apply", job.shared);
  return await applyDisk(disk, target, {
    sparse: job.sparse,
    ranges: board.stripes(disk),
    lanes: 2,
    onProgress: (counts) => board.publish(counts),
  });
}

async function verify(disk: Disk, target: Target, job: LaneJob): Promise<VerifiedPart> {
  const { verifyStripes } = await import("../apply/verify.ts");
  const board = new LaneBoard("verify", job.shared);
  return await verifyStripes(disk, target, {
    ranges: board.stripes(disk),
    onProgress: (counts) => board.publish(counts),
  });
}

if (import.meta.url.endsWith("/workers/apply_lane.ts")) serveLane();
