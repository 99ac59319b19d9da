/** `regrain map`: the runs of an image. */
import { Disk, doubtsOf, openLink, PlacedRuns } from "../../core-as/host/mod.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";
import { imageOf } from "../places/place.ts";
import { mapReport } from "../report/map.ts";
import { type DiskFlags, startSession } from "../session/session.ts";
import { type ChainFlags, openWholeDisk } from "../session/whole_disk.ts";
import { takeDoubts } from "../ui/describe.ts";

export interface MapFlags extends DiskFlags, ChainFlags {
  readonly ascii?: boolean | undefined;
  readonly chain?: boolean | undefined;
}

const IMAGE = imageOf("map");

/** @returns 0, or 1 when an image has damage. */
export async function runMap(images: readonly string[], flags: MapFlags): Promise<number> {
  const session = startSession(flags);
  const report = mapReport(session.console, flags);
  let sound = true;
  for (const image of images) {
    session.places.take(image, IMAGE);
    const disk = flags.chain
      ? await openWholeDisk(image, session, flags)
      : new Disk(session.context.core, [await openLink(image, session.context, "image")]);
    try {
      if (!flags.chain) takeDoubts(session.console, doubtsOf(disk.links), flags);
      const runs = new PlacedRuns(disk);
      await report.image(disk, runs);
      if (runs.damagedBytes > 0) {
        sound = false;
        report.damaged(image, runs.damagedBytes);
      }
    } finally {
      disk.close();
    }
  }
  session.console.flush();
  return sound ? 0 : EXIT_DAMAGE;
}
