/** `regrain repo key export` and `import`: what opens a repository, kept in a second place, and put back. */
import { RegrainError } from "../../core-as/host/mod.ts";
import {
  DESCRIPTION_KEY,
  Fields,
  MAX_DESCRIPTION_BYTES,
  type ObjectStore,
  parseDescription,
} from "../../core-as/host/repo/mod.ts";
import { readDescription } from "../backup/repository.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";
import { openStoreOf, type RepoFlags } from "./repo_session.ts";

const MAX_COPY_BYTES = 16 * 1024 * 1024;
const SLOT = /^keys\/[A-Za-z0-9_-]+\.json$/;

/**
 * Writes `repo.json` and every key slot, as they are, to a new file of mode 0600. The slots are wrapped: without a
 * passphrase the file opens nothing.
 */
export async function runKeyExport(file: string, flags: CommonFlags & RepoFlags): Promise<number> {
  const console = new Console(flags);
  const store = await openStoreOf(flags);
  try {
    const objects: Record<string, string> = {};
    const description = await store.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
    const { id } = readDescription(store, description);
    objects[DESCRIPTION_KEY] = textOf(description!);
    for await (const { key } of store.list("keys/")) {
      const slot = SLOT.test(key) ? await store.get(key, MAX_DESCRIPTION_BYTES) : undefined;
      if (slot !== undefined) objects[key] = textOf(slot);
    }
    const document = { format: "regrain-keys", version: 1, repository: id, objects };
    writeNew(file, `${JSON.stringify(document, null, 2)}\n`);
    const slots = Object.keys(objects).length - 1;
    if (console.json) console.outJson({ type: "summary", repository: id, file, slots });
    else {console.out(
        `${file}: repo.json and ${slots} key slots of repository ${id}; a passphrase is needed as well`,
      );}
    return 0;
  } finally {
    store.close();
    console.flush();
  }
}

/**
 * Puts back what is gone. Slots are put back only where there is none: an old copy must not give a passphrase back
 * that was removed since.
 */
export async function runKeyImport(file: string, flags: CommonFlags & RepoFlags): Promise<number> {
  const console = new Console(flags);
  const { id, objects } = readCopy(file);
  const store = await openStoreOf(flags);
  try {
    const there = await store.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
    if (there !== undefined) {
      const found = parseDescription(there, `${store.label}/${DESCRIPTION_KEY}`).id;
      if (found !== id) {
        throw new RegrainError("REPO_MIXED", `holds the keys of repository ${id}, and this is ${found}`, {
          path: file,
          hint: "regrain repo key export of this one; or another --repo",
        });
      }
    }
    const hasSlots = await holdsSlots(store);
    const put: string[] = [];
    for (const [key, text] of objects) {
      if (key === DESCRIPTION_KEY ? there !== undefined : hasSlots) continue;
      await store.put(key, new TextEncoder().encode(text));
      put.push(key);
    }
    if (console.json) console.outJson({ type: "summary", repository: id, put });
    else console.out(put.length === 0 ? "everything is there already" : `put back: ${put.join(", ")}`);
    return 0;
  } finally {
    store.close();
    console.flush();
  }
}

async function holdsSlots(store: ObjectStore): Promise<boolean> {
  for await (const { key } of store.list("keys/")) if (SLOT.test(key)) return true;
  return false;
}

function readCopy(path: string): { id: string; objects: Map<string, string> } {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Deno.readFileSync(path);
  } catch (cause) {
    const code = cause instanceof Deno.errors.NotFound ? "NOT_FOUND" : "OPEN_FAILED";
    throw new RegrainError(code, code === "NOT_FOUND" ? "does not exist" : "cannot be read", { path, cause });
  }
  if (bytes.length > MAX_COPY_BYTES) throw new RegrainError("LIMIT_EXCEEDED", "is no copy of keys", { path });
  const fields = Fields.parse(bytes, { path, code: "REPO_UNSUPPORTED" });
  fields.text("format", /^regrain-keys$/);
  fields.count("version", { least: 1, most: 1 });
  const kept = fields.object("objects");
  const text = kept.text(DESCRIPTION_KEY);
  const { id } = parseDescription(new TextEncoder().encode(text), path);
  const objects = new Map([[DESCRIPTION_KEY, text]]);
  for (const key of kept.names()) if (SLOT.test(key)) objects.set(key, kept.text(key));
  return { id, objects };
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

function writeNew(path: string, text: string): void {
  try {
    Deno.writeTextFileSync(path, text, { mode: 0o600, createNew: true });
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) {
      throw new RegrainError("TARGET_UNSUITABLE", "is there already", { path, cause, hint: "another name" });
    }
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new RegrainError("WRITE_FAILED", `cannot be written (${what})`, { path, cause });
  }
}
