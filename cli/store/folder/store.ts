/**
 * A folder as an object store: an object is a file.
 *
 * An object is written beside the others, in `tmp/`, made durable, and put in its place by `link` (which fails when
 * something stands there) or `rename`. So half an object is never seen, whenever the process or the power ends.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { ObjectInfo, ObjectStore, PutOptions, PutOutcome } from "../../../core-as/host/repo/objects.ts";
import {
  entriesOf,
  type FolderIdentity,
  followed,
  guard,
  identityOf,
  isLink,
  makeOne,
  readWhole,
  removeIfOlder,
  removeIfThere,
  type Rights,
  rightsIn,
} from "./files.ts";
import { isAbsent } from "../../deno_errors.ts";
import { later } from "../../io/durable.ts";
import { checkKey, keyRule } from "../keys.ts";

/** Where objects are written before they are in their place; never listed. */
const TEMPORARY = "tmp";

export class FolderStore implements ObjectStore {
  readonly label: string;
  private readonly isKey: (text: string) => boolean;
  private readonly madeFolders = new Map<string, Promise<void>>();
  /** The folder as it was first seen; `undefined` before it was. */
  private root: FolderIdentity | undefined;
  private rights: Promise<Rights> | undefined;
  private readonly warn: (line: string) => void;
  private hasWarned = false;

  /** @param root The folder; it need not exist before the first `put`. */
  constructor(
    root: string,
    options: { foreignKeys?: boolean | undefined; warn?: ((line: string) => void) | undefined } = {},
  ) {
    this.isKey = keyRule(options.foreignKeys);
    this.warn = options.warn ?? (() => undefined);
    this.label = root.length > 1 ? root.replace(/\/+$/, "") : root;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<PutOutcome> {
    const path = this.pathOf(key);
    if (options.ifAbsent && await guard(path, "look up", () => later.exists(path))) return "exists";
    await this.makeFolder(TEMPORARY);
    await this.makeFolder(key.slice(0, Math.max(0, key.lastIndexOf("/"))));
    const temporary = `${this.label}/${TEMPORARY}/${crypto.randomUUID()}`;
    try {
      const { file: mode } = await this.rightsOfNew();
      this.tellUnsynced(await guard(path, "save", () => later.write(temporary, bytes, mode)));
      // A key that was put by somebody else in the meantime stays as it is.
      const isMade = await guard(path, "rename", async () => {
        if (options.ifAbsent) return await later.linkOnce(temporary, path);
        await later.rename(temporary, path);
        return true;
      });
      if (!isMade) return "exists";
    } finally {
      await guard(temporary, "remove", () => removeIfThere(temporary));
    }
    await this.syncFolder(path);
    return "created";
  }

  async get(key: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = this.pathOf(key);
    if (this.root === undefined) await this.checkRoot();
    return await guard(path, "read file", async () => {
      try {
        using file = await Deno.open(path, { read: true });
        const { size } = await file.stat();
        if (size > maxBytes) {
          throw new RegrainError("LIMIT_EXCEEDED", `has ${size} bytes, and ${maxBytes} at most are due`, {
            path,
          });
        }
        return await readWhole(file, { size, path });
      } catch (error) {
        if (!isAbsent(error)) throw error;
        await this.checkRoot();
        return undefined;
      }
    });
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const path = this.pathOf(key);
    return await guard(path, "look up", async () => {
      try {
        const status = await Deno.stat(path);
        return status.isFile ? infoOf(key, status) : undefined;
      } catch (error) {
        if (!isAbsent(error)) throw error;
        await this.checkRoot();
        return undefined;
      }
    });
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    for await (const key of this.walk(folder, prefix)) {
      const info = await this.head(key);
      if (info !== undefined) yield info;
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const path = this.pathOf(key);
      await guard(path, "remove", () => removeIfThere(path));
    }
  }

  /** Removes what an ended process left half written, if it is older than a day. */
  async tidy(nowMs: number): Promise<number> {
    const dayMs = 24 * 3600 * 1000;
    const folder = `${this.label}/${TEMPORARY}`;
    let removed = 0;
    for (const { name } of await entriesOf(folder)) {
      const path = `${folder}/${name}`;
      removed += await guard(path, "remove", () => removeIfOlder(path, nowMs - dayMs)) ? 1 : 0;
    }
    return removed;
  }

  close(): void {}

  private async syncFolder(path: string): Promise<void> {
    this.tellUnsynced(await guard(path, "flush", () => later.syncFolderOf(path)));
  }

  private pathOf(key: string): string {
    checkKey(key, this.isKey);
    return `${this.label}/${key}`;
  }

  private rightsOfNew(): Promise<Rights> {
    return this.rights ??= rightsIn(this.label);
  }

  /** Once: nothing is wrong yet, but less is promised than elsewhere. */
  private tellUnsynced(isSynced: boolean): void {
    if (isSynced || this.hasWarned) return;
    this.hasWarned = true;
    this.warn(
      `${this.label}: its file system does not tell when something is durable (it has no fsync): should the power or ` +
        "the server fail, what was stored shortly before may be gone or cut; regrain verify --deep finds it then",
    );
  }

  /** Makes a folder below the root, and the root where none was seen yet. */
  private makeFolder(folder: string): Promise<void> {
    let made = this.madeFolders.get(folder);
    if (made === undefined) {
      made = this.makeFolders(folder);
      this.madeFolders.set(folder, made);
      // Another attempt may go better.
      made.catch(() => this.madeFolders.delete(folder));
    }
    return made;
  }

  private async makeFolders(folder: string): Promise<void> {
    await this.checkRoot();
    if (this.root === undefined) {
      await guard(this.label, "make", () => Deno.mkdir(this.label, { recursive: true, mode: 0o700 }));
      await this.syncFolder(this.label);
      await this.checkRoot();
    }
    let path = this.label;
    for (const name of folder.split("/").filter((name) => name !== "")) {
      path += `/${name}`;
      const rights = await this.rightsOfNew();
      if (await guard(path, "make", () => makeOne(path, rights))) await this.syncFolder(path);
    }
  }

  /**
   * Looks whether the folder is still the one it was. Under a name that was unmounted meanwhile there is nothing, or an
   * empty folder: a store that lost everything, if it were believed.
   */
  private async checkRoot(): Promise<void> {
    const now = await identityOf(this.label);
    this.root ??= now;
    if (this.root?.dev === now?.dev && this.root?.ino === now?.ino) return;
    throw new RegrainError("STORE_FAILED", "the folder is gone, or another one stands in its place", {
      path: this.label,
      hint: "was it unmounted?",
    });
  }

  /** Where nothing is found, it is seen that what leads there is what it was, and leads somewhere. */
  private async checkWay(folder: string): Promise<void> {
    await this.checkRoot();
    let key = "";
    for (const name of folder.split("/").filter((name) => name !== "")) {
      key += key === "" ? name : `/${name}`;
      if (await isLink(`${this.label}/${key}`)) await followed(this.label, key);
    }
  }

  /**
   * Keys of the files below a folder (`""`, or ending in a slash) that start with `prefix`. Links are followed, as they
   * are by every other call: what is read under its key is listed, or nobody would ever free it.
   */
  private async *walk(folder: string, prefix: string): AsyncGenerator<string> {
    const entries = await entriesOf(`${this.label}/${folder}`);
    if (entries.length === 0) await this.checkWay(folder);
    for (const entry of entries) {
      const key = folder + entry.name;
      // What file managers and network file systems leave beside is no object.
      if (!this.isKey(key) || key === TEMPORARY) continue;
      if (!(`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`) || key.startsWith(prefix))) continue;
      const { isDirectory, isFile } = entry.isSymlink ? await followed(this.label, key) : entry;
      if (isDirectory) yield* this.walk(`${key}/`, prefix);
      else if (isFile && key.startsWith(prefix)) yield key;
    }
  }
}

function infoOf(key: string, { size, mtime }: Deno.FileInfo): ObjectInfo {
  return { key, sizeBytes: size, modifiedMs: mtime?.getTime() ?? 0 };
}
