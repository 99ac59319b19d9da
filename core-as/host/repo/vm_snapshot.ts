/**
 * The manifest of a VM snapshot: which snapshots of its disks are one moment, and the files that describe the VM.
 *
 * ```
 * vms/<vm>/<ulid>.json (.enc when encrypted)
 * ```
 *
 * It is written last, so a VM snapshot is there with all of its disks or not at all. Programs that do not know it see
 * the disks' snapshots, which are whole by themselves.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { isPrintable } from "../printable.ts";
import { Fields } from "./fields.ts";
import type { ContentSuffix } from "./names.ts";
import { sha256Hex, type Snapshot } from "./snapshot.ts";

/** Disks of one VM; vSphere allows 256. */
export const MAX_VM_DISKS = 1024;
/** Files that describe a VM: its vmx or domain XML, nvram. */
export const MAX_CONFIGS = 16;
export const MAX_CONFIG_BYTES = 1024 * 1024;
/** Base64 takes 4 bytes for 3. */
export const MAX_VM_BYTES = 24 * 1024 * 1024;

export interface VmDisk {
  /** The part of the disk's name after the VM's. */
  readonly label: string;
  /** `VM/DISK`, and the part of the key that stands for it. */
  readonly source: Snapshot["source"];
  /** ULID of the disk's snapshot. */
  readonly id: string;
  /** Of the disk's snapshot: what it must hold. */
  readonly root: string;
  readonly sizeBytes: number;
}

export interface VmConfig {
  /** Name of the file, without a folder. */
  readonly name: string;
  readonly base64: string;
}

export interface VmSnapshot {
  readonly format: "regrain-vm";
  readonly version: 1;
  readonly repository: string;
  /** ULID. */
  readonly id: string;
  readonly source: Snapshot["source"];
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly tool: string;
  readonly host: string;
  readonly disks: readonly VmDisk[];
  readonly configs: readonly VmConfig[];
  /** What it is a copy of, in words that name it. */
  readonly copyOf?: string;
}

/** A manifest of a VM in the store, by its key. */
export interface VmName {
  readonly key: string;
  readonly source: string;
  readonly id: string;
}

export function vmKey(source: string, id: string, suffix: ContentSuffix): string {
  return `vms/${source}/${id}.${suffix === "enc" ? "enc" : "json"}`;
}

const KEY = /^vms\/([a-z0-9][a-z0-9-]{0,80})\/([0-9A-HJKMNP-TV-Z]{26})\.(?:json|enc)$/;

export function parseVmKey(key: string): Omit<VmName, "key"> | undefined {
  const [, source, id] = KEY.exec(key) ?? [];
  return source === undefined || id === undefined ? undefined : { source, id };
}

/** True for a name that a file in a folder can have, and that leads nowhere else. */
export function isPlainFileName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && name.length <= 200 && !/[/\\]/.test(name) &&
    !name.startsWith("-") && isPrintable(name);
}

/** The document to store. */
export async function serializeVm(vm: VmSnapshot): Promise<Uint8Array<ArrayBuffer>> {
  const body = JSON.stringify(vm);
  const sum = await sha256Hex(new TextEncoder().encode(body));
  return new TextEncoder().encode(`{"vm":${body},"sha256":"${sum}"}\n`);
}

const DOCUMENT = /^\{"vm":(.*),"sha256":"([0-9a-f]{64})"\}\n$/s;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const SOURCE_KEY = /^[a-z0-9][a-z0-9-]{0,80}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** @throws {RegrainError} `SNAPSHOT_DAMAGED`, `REPO_UNSUPPORTED` for one of a newer version. */
export async function parseVm(bytes: Uint8Array<ArrayBuffer>, path: string): Promise<VmSnapshot> {
  const about = { path, code: "SNAPSHOT_DAMAGED" } as const;
  const [, body, sum] = DOCUMENT.exec(new TextDecoder().decode(bytes)) ?? [];
  if (body === undefined) throw new RegrainError(about.code, "is no manifest of a VM", { path });
  const encoded = new TextEncoder().encode(body);
  if (await sha256Hex(encoded) !== sum) {
    throw new RegrainError(about.code, "the manifest does not have the sum that stands in it", { path });
  }
  return readVm(Fields.parse(encoded, about), about);
}

function readVm(fields: Fields, about: { path: string; code: "SNAPSHOT_DAMAGED" }): VmSnapshot {
  fields.text("format", /^regrain-vm$/);
  if (fields.count("version") !== 1) {
    throw new RegrainError(
      "REPO_UNSUPPORTED",
      "the VM's manifest has a version which this one does not know",
      {
        path: about.path,
        hint: "use a newer regrain",
      },
    );
  }
  const source = sourceIn(fields);
  const list = (name: string) => fields.list(name).map((value) => fieldsOf(value, about));
  const disks = list("disks").map((disk) => ({
    label: plainNameIn(disk, "label"),
    source: sourceIn(disk),
    id: disk.text("id", ULID),
    root: disk.text("root", /^[0-9a-f]{64}$/),
    sizeBytes: disk.count("sizeBytes"),
  }));
  const configs = list("configs").map((config) => ({
    name: plainNameIn(config, "name"),
    base64: config.text("base64", BASE64),
  }));
  if (disks.length === 0 || disks.length > MAX_VM_DISKS) fields.fail("disks", `1 to ${MAX_VM_DISKS} disks`);
  if (new Set(disks.map(({ label }) => label)).size < disks.length) fields.fail("disks", "a label for each");
  const copyOf = fields.optional("copyOf", (from, name) => from.text(name));
  const created = fields.text("created");
  if (Number.isNaN(Date.parse(created))) fields.fail("created", "a time that exists");
  return {
    format: "regrain-vm",
    version: 1,
    repository: fields.text("repository", ULID),
    id: fields.text("id", ULID),
    source,
    created,
    tool: fields.text("tool"),
    host: fields.text("host"),
    disks,
    configs,
    ...copyOf === undefined ? {} : { copyOf },
  };
}

function sourceIn(fields: Fields): Snapshot["source"] {
  const source = fields.object("source");
  return { name: source.text("name"), key: source.text("key", SOURCE_KEY) };
}

function plainNameIn(fields: Fields, name: string): string {
  const text = fields.text(name);
  return isPlainFileName(text) ? text : fields.fail(name, "a name without a folder");
}

function fieldsOf(value: unknown, about: { path: string; code: "SNAPSHOT_DAMAGED" }): Fields {
  return Fields.parse(new TextEncoder().encode(JSON.stringify(value)), about);
}
