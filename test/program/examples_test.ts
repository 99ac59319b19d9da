/** Every example of every help text, run by a shell in a folder that has what the examples name. */
import assert from "node:assert/strict";
import { createProgram } from "../../cli/program.ts";
import { type CommandEntry, leavesOf, readTree } from "../../cli/manual/tree.ts";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { peer, testWithPeers, withTempDir } from "../helpers/peers.ts";
import { PROGRAM } from "../helpers/program.ts";

/** What is not run, with the reason; without one it is run. */
const EXCEPTED: Readonly<Record<string, () => string | undefined>> = {
  "regrain restore web01/disk-0@latest vm.qcow2 --format qcow2 --repo /backups": () =>
    peer("qemu-img") === undefined ? "needs qemu-img" : undefined,
  "regrain repo import s3://old-backups --vm web01 --disk root --name web01/disk-0 --repo /backups": () =>
    "needs a bucket that another tool has filled",
};

/** Repositories before an example runs; a command that is not named here finds one with a snapshot in it. */
const REPOSITORY = [
  "regrain repo init --repo /backups",
  "regrain backup vm.img --repo /backups --name web01/disk-0",
];
const OTHER = "regrain repo init --repo s3://bucket/vms";
const ENCRYPTED = [`${REPOSITORY[0]} --encrypt`, "echo another > new.txt"];
const BEFORE: Readonly<Record<string, readonly string[]>> = {
  "backup": [
    ...REPOSITORY,
    OTHER,
    "regrain map --json vm-000001.vmdk > areas.json",
    "echo web01/disk-0 vm.img > disks.txt",
  ],
  "release": [...REPOSITORY, "regrain hold web01/disk-0@latest"],
  "repo init": [],
  "repo copy": [...REPOSITORY, OTHER, "regrain repo init --repo /mnt/usb"],
  "repo key add": ENCRYPTED,
  "repo key list": ENCRYPTED,
  "repo key rotate": ENCRYPTED,
  "repo key export": ENCRYPTED,
  "repo key import": [
    ...ENCRYPTED,
    "regrain repo key export keys.json",
    "regrain repo key export --unwrapped key.json",
  ],
  "repo key remove": [...ENCRYPTED, "regrain repo key add --new-passphrase-file new.txt --label escrow"],
};

/** What an example needs anew, since the one before it left something. */
const BEFORE_EACH: Readonly<Record<string, string>> = { restore: "rm -f vm.img" };

/** The names of the examples, over a chain of two links that apply onto a raw image and onto the base itself. */
async function writeExampleFiles(folder: string): Promise<void> {
  await writeCase(caseNamed("chain-two-cowd-links"), folder);
  const renamed = (name: string) => name.replace(/^disk(-\d{6})/, "vm$1").replace(/^disk/, "base");
  for (const { name } of [...Deno.readDirSync(folder)]) {
    const path = `${folder}/${renamed(name)}`;
    Deno.renameSync(`${folder}/${name}`, path);
    if (/-(delta|flat)\.vmdk$/.test(name)) continue;
    const text = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, text.replace(/"(disk[^"]*\.vmdk)"/g, (_, file) => `"${renamed(file)}"`));
  }
  Deno.copyFileSync(`${folder}/base-flat.vmdk`, `${folder}/vm.img`);
}

/** Programs that the examples use: this one, an ssh that runs its command here, and a browser that shows nothing. */
function writePrograms(folder: string): void {
  const scripts = {
    regrain: `exec '${Deno.execPath()}' run --quiet -A '${PROGRAM}' "$@"`,
    ssh: 'shift; exec "$@"',
    "xdg-open": "exit 0",
    open: "exit 0",
  };
  Deno.mkdirSync(`${folder}/bin`);
  for (const [name, script] of Object.entries(scripts)) {
    Deno.writeTextFileSync(`${folder}/bin/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  Deno.mkdirSync(`${folder}/.config/fish/completions`, { recursive: true });
}

/** Of the id of the one snapshot there is. */
const FIRST_LETTERS = `regrain snapshots --json | sed -nE 's/.*"id":"(\\w{12}).*/\\1/p'`;

/**
 * What stands in the folder for what this machine has not: buckets and devices are a folder and a file. Snapshots are
 * named by the time they had, or by their first letters.
 */
function standIn(line: string, folder: string): string {
  return line.replaceAll("s3://bucket/vms", `${folder}/bucket`)
    .replaceAll("/dev/vg0/vm", `${folder}/vg0-vm`)
    .replaceAll("/mnt/usb", `${folder}/usb`)
    .replaceAll(/(?<!\w)\/backups/g, `${folder}/backups`)
    .replaceAll(/@2026-\d\d-\d\dT[\d:]+Z/g, `@${new Date(Date.now() + 60_000).toISOString()}`)
    .replaceAll("@01KAQZ", `@$(${FIRST_LETTERS})`)
    .replaceAll("01KAQZ8Y3T5M", `$(${FIRST_LETTERS})`);
}

const leaves = leavesOf(readTree(createProgram(() => {}))).filter(({ name }) => name !== "help");

for (const command of leaves) {
  testWithPeers(`every example of the help of ${command.words} runs`, ["bash", "man"], async () => {
    assert.ok(command.examples.length > 0);
    await withTempDir((folder) => runExamples(command, folder));
  });
}

Deno.test("every example that is excepted is one of the help", () => {
  const all = leaves.flatMap(({ examples }) => examples);
  for (const line of Object.keys(EXCEPTED)) assert.ok(all.includes(line), line);
});

async function runExamples(command: CommandEntry, folder: string): Promise<void> {
  await writeExampleFiles(folder);
  writePrograms(folder);
  Deno.copyFileSync(`${folder}/vm.img`, `${folder}/vg0-vm`);
  const usesRepository = command.flags.some(({ long }) => long === "--repo");
  const isEncrypted = BEFORE[command.words]?.includes(ENCRYPTED[0]!) ?? false;
  for (const line of BEFORE[command.words] ?? (usesRepository ? REPOSITORY : [])) {
    await assertRuns(line, [0], bashIn(folder, line, isEncrypted).output());
  }
  for (const line of command.examples) {
    const reason = EXCEPTED[line]?.();
    if (reason !== undefined) {
      console.log(`not run: ${line}: ${reason}`);
      continue;
    }
    const bash = bashIn(
      folder,
      `${BEFORE_EACH[command.words] ?? ":"}; ${line}`,
      isEncrypted || line.includes("--encrypt"),
    );
    // Examples of comparing may well find a difference.
    const fine = command.words === "compare" ? [0, 1] : [0];
    await assertRuns(line, fine, command.words === "inspect" ? untilItListens(bash) : bash.output());
  }
}

async function assertRuns(
  line: string,
  fine: readonly number[],
  ran: Promise<{ readonly code: number; readonly stderr: Uint8Array }>,
): Promise<void> {
  const { code, stderr } = await ran;
  assert.ok(fine.includes(code), `${line}: ${code} ${new TextDecoder().decode(stderr)}`);
}

/** A passphrase with a repository that is not encrypted is refused, so only where one is. */
function bashIn(folder: string, line: string, isEncrypted: boolean): Deno.Command {
  return new Deno.Command("bash", {
    args: ["-o", "pipefail", "-c", standIn(line, folder)],
    cwd: folder,
    env: {
      PATH: `${folder}/bin:${Deno.env.get("PATH")}`,
      HOME: folder,
      NO_COLOR: "1",
      DENO_DIR: DENO_DIR,
      REGRAIN_REPO: `${folder}/backups`,
      ...isEncrypted ? { REGRAIN_PASSPHRASE: "open sesame" } : {},
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** A server does not end by itself: when it says where it listens, Ctrl-C ends it. */
async function untilItListens(bash: Deno.Command): Promise<{ code: number; stderr: Uint8Array }> {
  const child = bash.spawn();
  const stderr = new Response(child.stderr).bytes();
  let isTold = false;
  for await (const _ of child.stdout) {
    if (!isTold) child.kill("SIGINT");
    isTold = true;
  }
  return { code: (await child.status).code, stderr: await stderr };
}

const DENO_DIR = denoDir();

/** Where Deno keeps its packages: another home must not make it fetch them again. */
function denoDir(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
