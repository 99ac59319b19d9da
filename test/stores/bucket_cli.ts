/** The program on a repository in a bucket, as a user runs it. The server may live in this process: nothing blocks. */
import assert from "node:assert/strict";
import { diskOf, type Line } from "../backup_cli/repository_folder.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainCommand } from "../helpers/cli.ts";
import type { Ran } from "../helpers/peers.ts";
import type { S3Server } from "./servers.ts";

export const DISK = "web01/disk-0";

export class BucketCli {
  readonly flags: readonly string[];

  /** @param folder For images and what is restored. */
  constructor(
    readonly server: Pick<S3Server, "endpoint" | "bucket" | "profile">,
    readonly folder: string,
    more: readonly string[] = [],
  ) {
    const { endpoint, bucket, profile } = server;
    this.flags = ["--repo", `s3://${bucket}/repo`, "--endpoint", endpoint, "--profile", profile, ...more];
  }

  /** The same repository with the rights of another profile. */
  as(profile: string): BucketCli {
    return new BucketCli({ ...this.server, profile }, this.folder);
  }

  /** Runs a command and asserts its exit status. */
  async run(args: readonly string[], code = 0): Promise<Ran> {
    const output = await regrainCommand([...args, ...this.flags]).output();
    const decoder = new TextDecoder();
    const [stdout, stderr] = [decoder.decode(output.stdout), decoder.decode(output.stderr)];
    assert.equal(output.code, code, `regrain ${args.join(" ")}: exit ${output.code}\n${stderr}${stdout}`);
    return { code, stdout, stderr };
  }

  /** Runs a command with `--json`; its lines. */
  async json(args: readonly string[], code = 0): Promise<Line[]> {
    const { stdout } = await this.run([...args, "--json"], code);
    return stdout.trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  }

  init(): Promise<Ran> {
    return this.run(["repo", "init", "--chunk-size", "1M"]);
  }

  /** Backs a disk up whose chunks are the letters; the summary, and what was warned of. */
  async backUp(letters: string, flags: readonly string[] = []): Promise<Line & { warnings: string }> {
    const image = `${this.folder}/image`;
    Deno.writeFileSync(image, diskOf(letters));
    const { stdout, stderr } = await this.run([
      ...["backup", image, "--name", DISK, "--progress", "none", "--json"],
      ...flags,
    ]);
    return { ...JSON.parse(stdout.trim().split("\n").at(-1)!), warnings: stderr };
  }

  /** Restores a snapshot to a new file and asserts what is in it; what was warned of. */
  async assertHolds(id: string, letters: string): Promise<string> {
    const target = `${this.folder}/restored`;
    const { stderr } = await this.run(["restore", `${DISK}@${id}`, target, "--progress", "none"]);
    assertFileHolds(target, diskOf(letters));
    Deno.removeSync(target);
    return stderr;
  }
}
