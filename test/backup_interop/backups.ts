/** A repository in a folder, and the program run on it as a user runs it. */
import assert from "node:assert/strict";
import { regrainCommand, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

const PASSPHRASE = { REGRAIN_PASSPHRASE: "correct horse" };

/** What `backup --json` ends with. */
export interface BackupSummary {
  readonly id: string;
  readonly sizeBytes: number;
  readonly root: string;
  readonly change: { readonly method: string; readonly reason?: string };
  readonly stats: { readonly chunks: number; readonly newChunks: number; readonly readBytes: number };
  /** What it wrote to standard error. */
  readonly stderr: string;
}

export interface RepositoryChoices {
  readonly chunkSize?: string;
  readonly encrypt?: boolean;
}

export class Backups {
  readonly repo: string;
  /** A passphrase with a repository that is not encrypted is refused. */
  private readonly env: Readonly<Record<string, string>>;

  constructor(readonly folder: string, choices: RepositoryChoices = {}) {
    this.repo = `${folder}/repo`;
    this.env = choices.encrypt ? PASSPHRASE : {};
    const { chunkSize = "1M", encrypt = false } = choices;
    const flags = ["--chunk-size", chunkSize, ...encrypt ? ["--encrypt"] : []];
    regrainExits(0, ["repo", "init", "--repo", this.repo, ...flags], { env: this.env });
  }

  /** `backup` with these arguments, of the disk `vm/disk` unless they name another. */
  backup(...args: readonly string[]): BackupSummary {
    const { stdout, stderr } = regrainExits(0, [...this.backupArgs(args), "--json"], { env: this.env });
    return { ...JSON.parse(stdout.trim().split("\n").at(-1)!), stderr };
  }

  backupRefuses(
    expected: { code: string; exit: number },
    ...args: readonly string[]
  ): { message: string; hint?: string } {
    return regrainRefuses(expected, this.backupArgs(args), { env: this.env });
  }

  /** `backup -` of what is written to its standard input. */
  async backupStream(bytes: Uint8Array<ArrayBuffer>, ...args: readonly string[]): Promise<BackupSummary> {
    const command = regrainCommand(
      [...this.backupArgs(["-", ...args]), "--json"],
      {
        env: this.env,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      } as Parameters<typeof regrainCommand>[1],
    );
    const child = command.spawn();
    const fed = new Blob([bytes]).stream().pipeTo(child.stdin);
    const [{ code, stdout, stderr }] = await Promise.all([child.output(), fed]);
    const [out, err] = [stdout, stderr].map((each) => new TextDecoder().decode(each)) as [string, string];
    assert.equal(code, 0, err);
    return { ...JSON.parse(out.trim().split("\n").at(-1)!), stderr: err };
  }

  /** What a snapshot restores to, in a file that is removed again. */
  restored(snapshot = "vm/disk"): Uint8Array<ArrayBuffer> {
    const target = `${this.folder}/restored`;
    this.restore(snapshot, target);
    const bytes = Deno.readFileSync(target);
    Deno.removeSync(target);
    return bytes;
  }

  restore(snapshot: string, target: string, ...flags: readonly string[]): void {
    regrainExits(0, ["restore", snapshot, target, "--repo", this.repo, ...flags], { env: this.env });
  }

  private backupArgs(args: readonly string[]): string[] {
    const name = args.includes("--name") ? [] : ["--name", "vm/disk"];
    return ["backup", ...args, "--repo", this.repo, ...name];
  }
}

/** A repository in a folder of its own, removed whatever happens. */
export async function withBackups(
  fn: (backups: Backups, folder: string) => void | Promise<void>,
  choices: RepositoryChoices = {},
): Promise<void> {
  await withTempDir((folder) => fn(new Backups(folder, choices), folder));
}

/** A flat disk with its descriptor, and what is written to it between two backups. */
export class FlatDisk {
  readonly descriptor: string;
  readonly flat: string;

  constructor(folder: string, readonly bytes: Uint8Array<ArrayBuffer>, cid = "5eed0001") {
    this.descriptor = `${folder}/flat.vmdk`;
    this.flat = `${folder}/flat-flat.vmdk`;
    Deno.writeTextFileSync(
      this.descriptor,
      `# Disk DescriptorFile\nversion=1\nCID=${cid}\nparentCID=ffffffff\ncreateType="vmfs"\n` +
        `RW ${bytes.length / 512} VMFS "flat-flat.vmdk"\n`,
    );
    this.write(0, new Uint8Array(0));
  }

  write(offsetBytes: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offsetBytes);
    Deno.writeFileSync(this.flat, this.bytes);
  }
}
