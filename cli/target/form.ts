/**
 * What a target is written as: sector by sector, or through the descriptor of a flat VMDK.
 *
 * The rule is that of every image (`format_choice.ts`): the user says it, else the name does, and the first bytes
 * never. Where these look like an image of another format, though, somebody has mistaken one file for another, or a
 * guest has planted them: writing is refused then until the user says which it is.
 */
import {
  type Context,
  decideFormat,
  descriptorDespite,
  type ImageFormat,
  isDescriptorOfOwnExtent,
  looksLike,
  looksLikeText,
  type Probe,
  probe,
  quotePath,
  readBytes,
  RegrainError,
} from "../../core-as/host/mod.ts";
import type { JudgedRequest, TargetTools as Tools, TargetUse } from "./request.ts";

/** What is known of a target before it is opened for writing. */
interface SeenTarget {
  readonly path: string;
  readonly seen: Probe;
  /** By what the user says, or the name. */
  readonly format: ImageFormat;
  /** What it is written as, unless that is refused. */
  readonly form: ImageFormat;
  /** Size of a file that is nothing but text, and no disk for that. */
  readonly textBytes: number | undefined;
}

/** More than any text that is taken for a disk by mistake. */
const MAX_TEXT_BYTES = 1024 * 1024;
const TEXT_HEAD_BYTES = 4096;

/**
 * What a target is written as.
 *
 * @param request `sizeBytes`: what is to be written needs so much.
 * @throws {RegrainError} `TARGET_UNSUITABLE` when it looks like something that this would destroy.
 */
export async function targetForm(
  request: JudgedRequest & { sizeBytes: number },
  tools: Tools,
): Promise<ImageFormat> {
  const { use } = request;
  const known = await look(request.target, tools);
  const { format, form, textBytes } = known;
  const said = tools.context.format;
  if (form === "vmdk") {
    if (format === "raw") tools.context.warn(descriptorDespite(request.target));
    return "vmdk";
  }
  // Making it larger would only destroy it, so nothing else is said of it, and no flag helps.
  if (textBytes !== undefined && textBytes < request.sizeBytes) throw textFile(known, textBytes, use);
  if (format === "vmdk") {
    if (said === "vmdk") throw noDescriptor(known, use);
    if (!request.force) throw noVmdkInside(known, use);
    return "raw";
  }
  const looks = looksLike(known.seen);
  if (looks !== undefined && said === undefined && !request.force) {
    throw looksOtherwise(known, { looks, use });
  }
  return "raw";
}

/** What a target is written as that has been judged already. */
export async function judgedTargetForm(path: string, tools: Tools): Promise<ImageFormat> {
  return (await look(path, tools)).form;
}

/** Refuses to make a raw file by a name that says another format: nobody would read it as what it is. */
export function refuseVmdkName(path: string, context: Context, { formatFlag, makes }: TargetUse): void {
  const format = decideFormat({ path }, "image", context.format);
  if (format === "raw") return;
  const message = context.format === format
    ? `${makes} makes a raw file, and ${formatFlag} ${format} asks for another`
    : `${makes} makes a raw file, and the name says that it is a ${format === "vmdk" ? "VMDK" : format}`;
  throw new RegrainError("TARGET_UNSUITABLE", message, {
    path,
    hint:
      `a name such as ${path.replace(/\.\w+$/, "")}.img; or ${formatFlag} raw, with which it must be named ` +
      "for as long as it is called so",
  });
}

async function look(path: string, { io, context }: Tools): Promise<SeenTarget> {
  const source = io.openSource(path);
  try {
    const seen = await probe(source);
    const format = decideFormat(source, "image", context.format);
    const isDescriptor = format === "vmdk" ? seen.kind === "descriptor" : context.format === undefined &&
      await isDescriptorOfOwnExtent(source, seen, (name) => context.files.exists(name));
    const { sizeBytes } = source;
    const isText = !source.isDevice && sizeBytes > 0 && sizeBytes <= MAX_TEXT_BYTES &&
      looksLikeText(await readBytes(source, 0, Math.min(sizeBytes, TEXT_HEAD_BYTES)));
    const form = isDescriptor ? "vmdk" : "raw";
    return { path, seen, format, form, textBytes: isText ? sizeBytes : undefined };
  } finally {
    source.close();
  }
}

function textFile({ path, seen }: SeenTarget, textBytes: number, { formatFlag }: TargetUse): RegrainError {
  const what = seen.kind === "descriptor" ? "a VMDK descriptor" : "a text file";
  return new RegrainError("TARGET_UNSUITABLE", `it is ${what} of ${textBytes} bytes, and no disk`, {
    path,
    hint: seen.kind === "descriptor"
      ? `${formatFlag} vmdk writes the flat file that it names; or give a raw image or a block device`
      : "give a raw image, a block device, or the descriptor of a flat VMDK",
  });
}

function looksOtherwise(
  { path, seen }: SeenTarget,
  { looks, use }: { looks: string; use: TargetUse },
): RegrainError {
  const isDescriptor = seen.kind === "descriptor" ? `if it is a descriptor: ${use.formatFlag} vmdk; ` : "";
  return new RegrainError(
    "TARGET_UNSUITABLE",
    `it looks like ${looks}, and writing disk sectors into it would destroy it`,
    {
      path,
      hint:
        `${use.accepts}; ${isDescriptor}${
          asView(path, looks)
        }if it is a raw disk that only happens to start so, or whose guest wrote ` +
        `that: ${use.formatFlag} raw (or --force); if it is not, it is lost then`,
    },
  );
}

/** The one image of tables that is often the target; docs/moving-a-vm.md has all of it. */
function asView(path: string, looks: string): string {
  if (looks !== "qcow2") return "";
  return `touch vm.view; nbdfuse vm.view [ qemu-nbd -f qcow2 ${
    quotePath(path)
  } ] & shows it as the raw file vm.view; `;
}

function noVmdkInside({ path, seen }: SeenTarget, use: TargetUse): RegrainError {
  const looks = looksLike(seen);
  const message = looks === undefined
    ? "its name says that it is a VMDK, and it does not begin like one"
    : `it looks like ${looks}, and writing disk sectors into it would destroy it`;
  return new RegrainError("TARGET_UNSUITABLE", message, {
    path,
    hint:
      `${use.accepts}; if it is a flat disk, sector by sector: ${use.formatFlag} raw; if it is not, it is lost then`,
  });
}

function noDescriptor({ path, seen }: SeenTarget, use: TargetUse): RegrainError {
  const looks = looksLike(seen) ?? "nothing that is known";
  return new RegrainError("TARGET_UNSUITABLE", `it is no descriptor of a VMDK: it begins like ${looks}`, {
    path,
    hint: `of VMDKs only flat ones can be written, by their descriptor; ${use.accepts}`,
  });
}
