/**
 * Peers: programs and abilities outside this repository that some tests compare with or lean on.
 *
 * A test that needs one says so by {@link testWithPeers}. Where the peer is missing the test is ignored and the
 * reason printed; under `REGRAIN_PEERS=require` it fails instead, so that a complete machine cannot skip quietly.
 *
 * Everything here needs `--allow-run --allow-env --allow-read --allow-write`; it is for tests alone.
 */

/** Abilities that are more than a program on the search path. */
const ABILITIES = {
  /** Root, and a `losetup` that attaches. */
  "root-loop": rootLoop,
  /** Root, and a `mount` that mounts. */
  "root-mount": rootMount,
  /** File systems that programs serve. */
  "fuse": fuse,
  /** Root, and a `setpriv` that makes another user of it. */
  "second-user": secondUser,
  /** A folder of real disks, named by `REGRAIN_SAMPLES`. */
  "samples": samples,
  /** A C compiler. */
  "cc": () => program("cc") ?? program("gcc"),
  /** The browser, under the names that systems give it. */
  "chromium": () => program("chromium") ?? program("chromium-browser"),
  /** A Python that has libvmdk. */
  "pyvmdk": pyvmdk,
} as const satisfies Record<string, () => string | undefined>;

type Ability = keyof typeof ABILITIES;

const found = new Map<string, string | undefined>();

/**
 * Finds a peer once per process.
 *
 * @param name A program such as `qemu-img`, or an ability: `root-loop`, `root-mount`, `samples`, `cc`, `chromium`,
 *   `fuse`, `pyvmdk`.
 * @returns The path to run or read (for `pyvmdk` the Python), or `undefined` when the peer is missing.
 */
export function peer(name: string): string | undefined {
  if (!found.has(name)) found.set(name, isAbility(name) ? ABILITIES[name]() : program(name));
  return found.get(name);
}

/**
 * Registers a test that needs peers: ignored with its reason printed when one is missing, failed under
 * `REGRAIN_PEERS=require`.
 *
 * @param name A sentence that says the behaviour, as for `Deno.test`.
 * @param peers Names that {@link peer} knows.
 */
export function testWithPeers(
  name: string,
  peers: readonly string[],
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  const missing = peers.filter((each) => peer(each) === undefined);
  if (missing.length === 0) return Deno.test(name, fn);
  const reason = `needs ${missing.join(", ")}`;
  // Samples are data that not everybody has: asked for by their variable, never by the others.
  const required = missing.some((each) =>
    each !== "samples" || Deno.env.get("REGRAIN_SAMPLES") !== undefined
  );
  if (required && Deno.env.get("REGRAIN_PEERS") === "require") {
    return Deno.test(name, () => {
      throw new Error(`${reason}, and REGRAIN_PEERS=require`);
    });
  }
  // The runner prints names, and swallows what is printed while tests are registered.
  Deno.test({ name: `${name} (skipped: ${reason})`, ignore: true, fn });
}

/** What a program wrote before it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end and returns what it said, whatever its exit status. */
export function tryRun(command: string, args: readonly string[]): Ran {
  const output = new Deno.Command(command, { args: [...args], stdin: "null" }).outputSync();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

/** Runs a program and returns its standard output; a failure throws with what it said. */
export function run(command: string, args: readonly string[]): string {
  const ran = tryRun(command, args);
  if (ran.code === 0) return ran.stdout;
  throw new Error(`${command} ${args.join(" ")}: exit ${ran.code}: ${ran.stderr || ran.stdout}`);
}

/**
 * Attaches a file to a free loop device, and detaches it whatever happens. Needs the peer `root-loop`.
 *
 * @param fn Gets the path of the device.
 * @param options `partitions`: devices for the partitions on it too, `/dev/loop0p1` and so on.
 */
export async function withLoop<T>(
  file: string,
  fn: (device: string) => T | Promise<T>,
  options: { readOnly?: boolean; partitions?: boolean } = {},
): Promise<T> {
  const flags = [...(options.readOnly ? ["--read-only"] : []), ...(options.partitions ? ["--partscan"] : [])];
  const device = run("losetup", [...flags, "--find", "--show", file]).trim();
  try {
    return await fn(device);
  } finally {
    run("losetup", ["--detach", device]);
  }
}

function fuse(): string | undefined {
  try {
    Deno.openSync("/dev/fuse", { read: true, write: true }).close();
    return "/dev/fuse";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return undefined;
    }
    throw error;
  }
}

/** Mounts, and unmounts whatever happens. Needs the peer `root-mount`; `args` as for `mount(8)` without folder. */
export async function withMount<T>(
  folder: string,
  args: readonly string[],
  fn: () => T | Promise<T>,
): Promise<T> {
  run("mount", [...args, folder]);
  try {
    return await fn();
  } finally {
    run("umount", [folder]);
  }
}

/** Makes a folder of its own for `fn`, and removes it whatever happens. */
export async function withTempDir<T>(fn: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "regrain_test_" });
  try {
    return await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function isAbility(name: string): name is Ability {
  return Object.hasOwn(ABILITIES, name);
}

/** Programs of the administrator are peers too, whether or not the search path of the user names their folders. */
function program(name: string): string | undefined {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.filter((folder) => folder !== "").map((folder) => `${folder}/${name}`).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    const info = Deno.statSync(path);
    return info.isFile && ((info.mode ?? 0) & 0o111) !== 0;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.PermissionDenied) return false;
    if (cause instanceof Deno.errors.NotADirectory) return false;
    throw cause;
  }
}

function rootLoop(): string | undefined {
  const losetup = program("losetup");
  if (losetup === undefined || Deno.uid() !== 0) return undefined;
  const file = Deno.makeTempFileSync({ prefix: "regrain_test_" });
  try {
    Deno.truncateSync(file, 1 << 20);
    const attached = tryRun(losetup, ["--find", "--show", file]);
    if (attached.code !== 0) return undefined;
    return tryRun(losetup, ["--detach", attached.stdout.trim()]).code === 0 ? losetup : undefined;
  } finally {
    Deno.removeSync(file);
  }
}

function rootMount(): string | undefined {
  const mount = program("mount");
  if (mount === undefined || Deno.uid() !== 0) return undefined;
  const folder = Deno.makeTempDirSync({ prefix: "regrain_test_" });
  try {
    if (tryRun(mount, ["-t", "tmpfs", "-o", "size=64k", "none", folder]).code !== 0) return undefined;
    return tryRun("umount", [folder]).code === 0 ? mount : undefined;
  } finally {
    Deno.removeSync(folder);
  }
}

function secondUser(): string | undefined {
  const setpriv = program("setpriv");
  return setpriv !== undefined && Deno.uid() === 0 ? setpriv : undefined;
}

/** Runs lines of a shell as a user who owns nothing here. Needs the peer `second-user`. */
export function asSecondUser(lines: string): Ran {
  const args = ["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", lines];
  return tryRun(peer("second-user")!, args);
}

function samples(): string | undefined {
  const folder = Deno.env.get("REGRAIN_SAMPLES");
  if (folder === undefined || folder === "") return undefined;
  try {
    return Deno.statSync(folder).isDirectory ? folder : undefined;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

function pyvmdk(): string | undefined {
  const python = "/usr/bin/python3";
  if (!isExecutable(python)) return undefined;
  return tryRun(python, ["-c", "import pyvmdk"]).code === 0 ? python : undefined;
}
