/**
 * Loaded before the program by `deno run --preload`: ends its process by SIGKILL at one operation.
 *
 * `REGRAIN_TEST_KILL` is `<level>:<n>:<when>`. Level `store` counts calls of the folder store, `file` counts the calls
 * beneath it that change a file system. `when` is `before` or `after` the n-th; a write that is killed `after` is half
 * done, as a kill may leave it.
 */
import { FolderStore } from "../../cli/store/folder/store.ts";

const [level, digits, when] = (Deno.env.get("REGRAIN_TEST_KILL") ?? "none:0:before").split(":");
const killAt = Number(digits);
let count = 0;

function die(): void {
  Deno.kill(Deno.pid, "SIGKILL");
}

/** Runs an operation, unless the process ends at it. */
async function counted<T>(action: () => Promise<T>, half: () => unknown = action): Promise<T> {
  const isLast = count++ === killAt;
  if (isLast && when === "before") die();
  if (!isLast) return await action();
  try {
    await half();
  } finally {
    die();
  }
  return await action();
}

type Method = (this: unknown, ...args: unknown[]) => Promise<unknown>;

/** Counts the calls of a method. */
function countCalls(holder: object, name: string): void {
  const method = Reflect.get(holder, name) as Method;
  const patched: Method = function (...args) {
    return counted(() => method.apply(this, args));
  };
  Reflect.set(holder, name, patched);
}

function countStoreCalls(): void {
  for (const name of ["put", "get", "head", "remove"]) countCalls(FolderStore.prototype, name);
  const { list } = FolderStore.prototype;
  FolderStore.prototype.list = async function* (prefix) {
    const found = await counted(() => Array.fromAsync(list.call(this, prefix)));
    yield* found;
  };
}

function countFileCalls(): void {
  for (const name of ["mkdir", "link", "rename", "remove"]) countCalls(Deno, name);
  countCalls(Deno.FsFile.prototype, "sync");
  const { write } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.write = function (bytes) {
    const half = bytes.subarray(0, bytes.length >>> 1);
    return counted(() => write.call(this, bytes), () => write.call(this, half));
  };
}

if (level === "store") countStoreCalls();
if (level === "file") countFileCalls();
