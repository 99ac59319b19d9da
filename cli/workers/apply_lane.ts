/** The second lane of an apply: it opens the same files and does its share of the stripes. */
import { Disk, type Target } from "../../core-as/host/mod.ts";
import { type ApplyCounts, applyDisk } from "../apply/engine.ts";
import { type ApplyJobs, LaneBoard, type LaneJob, type VerifiedPart } from "../apply/lanes.ts";
import { openLinks } from "../apply/prepare.ts";
import { verifyStripes } from "../apply/verify.ts";
import { createContext } from "../context.ts";
import { pickIo } from "../io/mod.ts";
import { type Answer, serve } from "../lanes/serve.ts";
import { joinTarget } from "../target/prepare.ts";

/** Makes this thread the second lane. */
export function serveApply(): void {
  serve<ApplyJobs>({
    apply: (job) => carryOut(job, apply),
    verify: (job) => carryOut(job, verify),
  });
}

/** When the work fails, the first lane ends after its stripe. */
async function carryOut<R>(
  job: LaneJob,
  work: (disk: Disk, target: Target, job: LaneJob) => Promise<R>,
): Promise<Answer<R>> {
  try {
    return { result: await withOpened(job, work) };
  } catch (error) {
    new LaneBoard(job.task, job.shared).stop();
    throw error;
  }
}

async function withOpened<R>(
  job: LaneJob,
  work: (disk: Disk, target: Target, job: LaneJob) => Promise<R>,
): Promise<R> {
  const io = pickIo();
  const context = createContext(io, { ...job.names, ignoreJournal: job.ignoreJournal, format: job.format });
  const { links } = await openLinks(job.request, context);
  const disk = new Disk(context.core, links);
  let target: Target | undefined;
  try {
    target = await joinTarget(job.request.target, { io, context }, disk);
    return await work(disk, target, job);
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
  const board = new LaneBoard("verify", job.shared);
  return await verifyStripes(disk, target, {
    ranges: board.stripes(disk),
    onProgress: (counts) => board.publish(counts),
  });
}
