/** The flags of `regrain backup`: what they mean, and which go together. */
import { type ImageFormat, parseSize, quotePath, RegrainError } from "../../core-as/host/mod.ts";
import { checkSourceName, checkTag, isChangeId } from "../../core-as/host/repo/mod.ts";
import { PIPE } from "../places/pipe.ts";
import type { Need } from "../places/place.ts";
import { findPlace } from "../places/registry.ts";
import type { Packing } from "../stream/unpack.ts";
import { durationMs } from "./durations.ts";
import { rateLimitOf } from "./flags.ts";
import type { RepoFlags } from "./open_repository.ts";
import type { LongFlags } from "./session.ts";
import type { WatchFlags } from "./watched.ts";

/** What a backup reads from. */
export const SOURCE: Need = { command: "backup", argument: "SOURCE", anyOf: ["read", "receive"] };
const DELTA: Need = { command: "backup --delta", argument: "DELTA", anyOf: ["delta"] };

export interface StreamFlags {
  readonly name: string;
  readonly fromCommand?: string | undefined;
  readonly size?: string | undefined;
  readonly unpack?: Packing | undefined;
  readonly format?: ImageFormat | undefined;
  readonly force?: boolean | undefined;
}

export interface OriginFlags extends StreamFlags {
  readonly delta?: string | undefined;
  readonly changed?: string | undefined;
  readonly audit?: string | undefined;
  /** The disk is in use, and that is known. */
  readonly live?: boolean | undefined;
  /** What the changes are since: a snapshot, or a change id. */
  readonly since?: string | undefined;
  /** Kept with the snapshot. */
  readonly changeId?: string | undefined;
  /** What stands for what cannot be read of the source; without it that is an error. */
  readonly damaged?: "zeros" | undefined;
}

export interface BackupFlags extends LongFlags, RepoFlags, WatchFlags, OriginFlags {
  readonly rateLimit?: string | undefined;
  readonly tag?: readonly string[] | undefined;
  readonly heal?: boolean | undefined;
  readonly retain?: string | undefined;
  readonly hookBefore?: string | undefined;
}

/** Refuses names and flags that cannot be right, before anything is opened. */
export function checkBackup(source: string | undefined, flags: BackupFlags): void {
  checkSourceName(flags.name);
  for (const tag of flags.tag ?? []) checkTag(tag, "--tag");
  checkOrigin(source, flags);
  rateLimitOf(flags);
  retainMsOf(flags);
}

/** @throws {RegrainError} `USAGE`. */
export function retainMsOf({ retain }: Pick<BackupFlags, "retain">): number | undefined {
  if (retain === undefined) return undefined;
  const ms = durationMs(retain, "--retain");
  if (ms > 0) return ms;
  throw new RegrainError("USAGE", "--retain 0 keeps nothing", { hint: "such as --retain 30d" });
}

/** Refuses flags that do not go together. */
export function checkOrigin(source: string | undefined, flags: OriginFlags): void {
  const { delta, changed, audit } = flags;
  if (source !== undefined) findPlace(source, SOURCE);
  if (delta !== undefined) findPlace(delta, DELTA);
  checkStream(source, flags);
  if (delta !== undefined && source !== undefined && audit === undefined) {
    throw new RegrainError("USAGE", "with --delta there is no SOURCE: the snapshot before is the base", {
      hint: `regrain backup --delta ${quotePath(delta)} --repo R --name ${flags.name}`,
    });
  }
  if (delta === undefined && source === undefined && flags.fromCommand === undefined) {
    throw new RegrainError("USAGE", "nothing is named to back up", {
      hint: "an image, a device, -, --from-command or --delta",
    });
  }
  if (changed !== undefined && (source === undefined || source === PIPE || delta !== undefined)) {
    throw new RegrainError("USAGE", "--changed needs a SOURCE that the changed places are read from");
  }
  checkMoments(flags);
  checkDamaged(source, flags);
  if (audit === undefined) return;
  shareOf(audit);
  if (changed === undefined && delta === undefined) {
    throw new RegrainError(
      "USAGE",
      "--audit looks at what --changed or --delta leave out, and neither is given",
    );
  }
  if (source === undefined || source === PIPE) {
    throw new RegrainError("USAGE", "--audit needs a SOURCE to read from: the disk as it is now", {
      hint: `regrain backup vm-000001.vmdk --delta ${
        quotePath(delta ?? "DELTA")
      } --audit 1% --name ${flags.name}`,
    });
  }
}

function checkDamaged(source: string | undefined, flags: OriginFlags): void {
  const { damaged, delta } = flags;
  if (damaged === undefined || delta === undefined && !isStream(source, flags)) return;
  const what = delta === undefined
    ? "a stream ends where it cannot be read"
    : "a delta is taken whole or not at all";
  throw new RegrainError("USAGE", `--damaged is for a SOURCE that is read place by place: ${what}`, {
    hint: "an image or a device as SOURCE, without --delta",
  });
}

/** Flags that name moments of the disk: the one that changes are since, and this one. */
function checkMoments({ delta, changed, since, changeId }: OriginFlags): void {
  if (since !== undefined && delta === undefined && changed === undefined) {
    throw new RegrainError(
      "USAGE",
      "--since says what --changed or --delta is against, and neither is given",
    );
  }
  // vSphere calls by * what a disk holds at all: then the whole disk is read.
  if (since !== undefined && since !== "*" && !isChangeId(since)) {
    throw new RegrainError("USAGE", `--since ${JSON.stringify(since)} is no moment of the disk`, {
      hint: "the id of a snapshot, or its first letters, or the change id that --change-id kept with it",
    });
  }
  if (changeId === undefined || isChangeId(changeId)) return;
  throw new RegrainError(
    "USAGE",
    `--change-id ${JSON.stringify(changeId)} is no id of a moment of the disk`,
    {
      hint: "what the platform calls it, such as vSphere's changeId: at most 256 letters, and not *",
    },
  );
}

/** @throws {RegrainError} `USAGE` when it is no share such as `1%` or `0.5%`. */
export function shareOf(text: string): number {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text) ?? [];
  const share = Number(digits ?? NaN) / 100;
  if (share > 0 && share <= 1) return share;
  throw new RegrainError("USAGE", `--audit ${text} is no share`, { hint: "such as 1%, 0.1% or 100%" });
}

/** True when the disk comes as a stream. */
export function isStream(source: string | undefined, { fromCommand }: StreamFlags): boolean {
  return source === PIPE || fromCommand !== undefined;
}

/** Refuses flags of streams that do not go together, or without a stream. */
export function checkStream(
  source: string | undefined,
  flags: StreamFlags & { delta?: string | undefined },
): void {
  const { fromCommand, size, unpack, format, delta } = flags;
  if (fromCommand !== undefined && (source !== undefined || delta !== undefined)) {
    throw new RegrainError(
      "USAGE",
      "with --from-command there is no SOURCE and no --delta: the command writes the disk",
    );
  }
  if (fromCommand?.trim() === "") {
    throw new RegrainError("USAGE", "--from-command names no command", {
      hint: "such as --from-command 'ssh esx dd if=/dev/vg0/vm bs=4M'",
    });
  }
  if (!isStream(source, flags)) {
    const flag = size !== undefined ? "--size" : unpack !== undefined ? "--unpack" : undefined;
    if (flag === undefined) return;
    throw new RegrainError("USAGE", `${flag} is about a stream, and SOURCE is none`, {
      hint: "- for standard input, or --from-command",
    });
  }
  if (format === "vmdk" || format === "qcow2") {
    const what = format === "vmdk" ? "a VMDK" : "a qcow2 image";
    throw new RegrainError(
      "USAGE",
      `${what} is not backed up from a stream: its parts do not come in the order of the disk`,
      {
        hint: format === "vmdk"
          ? "back the file up by its name; or regrain apply - TARGET, and back TARGET up"
          : "back the file up by its name",
      },
    );
  }
  streamSizeOf(flags);
}

/** How long `--size` says that a stream is. */
export function streamSizeOf({ size }: StreamFlags): number | undefined {
  if (size === undefined) return undefined;
  const bytes = parseSize(size);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw new RegrainError("USAGE", `--size ${size} is no size of a disk`, {
    hint: "such as 40G, or the bytes",
  });
}
