/**
 * The nightly script and its units, for three nights of a made-up calendar: the second one fails, and in it the clocks
 * change. The script is run as the unit and the line of cron run it; only the places of its files are others.
 */
import assert from "node:assert/strict";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits } from "../helpers/cli.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { diskOf, type Line } from "./repository_folder.ts";
import { PROGRAM } from "../helpers/program.ts";

const NIGHTLY = new URL("../../docs/nightly", import.meta.url).pathname;
const WEB = "web01/disk-0";
const DB = "db01/disk-0";
/** Half past midnight in Berlin, in which the clocks change after the second one. */
const NIGHTS = ["2025-03-29T00:30:00+01:00", "2025-03-30T00:30:00+01:00", "2025-03-31T00:30:00+02:00"];

/** Loaded before the program: the clock, and the times of files that this night writes, are those of the calendar. */
const CLOCK = `
const begunMs = Number(Deno.env.get("NIGHT_BEGUN_MS"));
const shiftMs = Number(Deno.env.get("NIGHT_MS")) - begunMs;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + shiftMs);
    else super(...args);
  }
  static now() {
    return RealDate.now() + shiftMs;
  }
};
const stat = Deno.stat;
Deno.stat = async (path) => {
  const found = await stat(path);
  const mtime = found.mtime !== null && found.mtime.getTime() >= begunMs - 1000
    ? new RealDate(found.mtime.getTime() + shiftMs)
    : found.mtime;
  return { ...found, mtime };
};
`;

class Calendar {
  constructor(readonly folder: string) {
    Deno.mkdirSync(`${folder}/bin`);
    Deno.writeTextFileSync(`${folder}/clock.js`, CLOCK);
    const regrain =
      `exec '${Deno.execPath()}' run --quiet -A --preload '${folder}/clock.js' '${PROGRAM}' "$@"`;
    const logger = `exec cat >> '${folder}/log'`;
    for (const [name, line] of Object.entries({ regrain, logger })) {
      Deno.writeTextFileSync(`${folder}/bin/${name}`, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    }
    const conf = this.here("nightly.conf").replace(
      /NIGHTLY_KEEP=.*/,
      'NIGHTLY_KEEP="--keep-daily 2 --timezone Europe/Berlin"',
    )
      .replace(/NIGHTLY_VERIFY=.*/, "NIGHTLY_VERIFY=--deep");
    Deno.writeTextFileSync(`${folder}/nightly.conf`, conf);
    Deno.writeTextFileSync(
      `${folder}/disks`,
      `# two\n${WEB}  ${folder}/web.img\n\n${DB} "${folder}/db disk.img"\n`,
    );
    regrainExits(0, ["repo", "init", "--chunk-size", "1M", "--repo", this.repo]);
  }

  get repo(): string {
    return `${this.folder}/backups`;
  }

  /** A file of the docs, with its places in the folder. */
  here(name: string): string {
    return Deno.readTextFileSync(`${NIGHTLY}/${name}`)
      .replaceAll("=/backups", `=${this.repo}`)
      .replaceAll("/etc/regrain/", `${this.folder}/`)
      .replaceAll("/usr/local/bin/", `${NIGHTLY}/`);
  }

  write(web: string, db: string | undefined): void {
    Deno.writeFileSync(`${this.folder}/web.img`, diskOf(web));
    if (db === undefined) Deno.removeSync(`${this.folder}/db disk.img`);
    else Deno.writeFileSync(`${this.folder}/db disk.img`, diskOf(db));
  }

  /** As the service runs it: its command, with the variables of its file. */
  runService(night: number): { code: number; stderr: string } {
    const unit = this.here("regrain-nightly.service");
    const [, file] = /^EnvironmentFile=(.*)$/m.exec(unit)!;
    const [, command] = /^ExecStart=(.*)$/m.exec(unit)!;
    const assignments = [...Deno.readTextFileSync(file!).matchAll(/^(\w+)=("?)(.*)\2$/gm)];
    const env = Object.fromEntries(assignments.map(([, name, , value]) => [name!, value!]));
    return this.runAt(night, [command!], env);
  }

  /** As cron runs its line, by its own shell. */
  runCron(night: number): { code: number; stderr: string; stdout: string } {
    const table = this.here("cron");
    assert.match(table, /^SHELL=\/bin\/bash$/m);
    const [, line] = /^\d+ \d+ \* \* \* root (.*)$/m.exec(table)!;
    return this.runAt(night, ["bash", "-c", line!], {});
  }

  private runAt(night: number, [program, ...args]: string[], env: Record<string, string>) {
    const begunMs = Date.now();
    const nightMs = Date.parse(NIGHTS[night]!);
    const { code, stdout, stderr } = new Deno.Command(program!, {
      args,
      clearEnv: true,
      env: {
        ...env,
        PATH: `${this.folder}/bin:${NIGHTLY}:${Deno.env.get("PATH")}`,
        HOME: Deno.env.get("HOME") ?? this.folder,
        XDG_STATE_HOME: `${this.folder}/state`,
        NO_COLOR: "1",
        NIGHT_MS: String(nightMs),
        NIGHT_BEGUN_MS: String(begunMs),
      },
      stdin: "null",
    }).outputSync();
    for (const path of filesBelow(this.repo)) {
      const { mtime } = Deno.statSync(path);
      if (mtime!.getTime() < begunMs - 1000) continue;
      const shifted = new Date(mtime!.getTime() + nightMs - begunMs);
      Deno.utimeSync(path, shifted, shifted);
    }
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  snapshots(disk: string): { id: string; created: string }[] {
    const { stdout } = regrainExits(0, ["snapshots", disk, "--json", "--repo", this.repo]);
    return stdout.trim().split("\n").map((line) => JSON.parse(line) as Line)
      .filter(({ type }) => type === "snapshot")
      .map(({ id, created }) => ({ id: id as string, created: created as string }));
  }

  assertHolds(disk: string, id: string, letters: string): void {
    const target = `${this.folder}/restored`;
    regrainExits(0, ["restore", `${disk}@${id}`, target, "--progress", "none", "--repo", this.repo]);
    assertFileHolds(target, diskOf(letters));
    Deno.removeSync(target);
  }

  chunks(): number {
    return filesBelow(`${this.repo}/chunks`).length;
  }
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

const nightsOf = (snapshots: readonly { created: string }[]) =>
  snapshots.map(({ created }) =>
    NIGHTS.findIndex((night) => {
      const laterMs = Date.parse(created) - Date.parse(night);
      return laterMs >= 0 && laterMs < 3600_000;
    })
  );

testWithPeers(
  "B16: three nights by the nightly script, the second one failing: nothing is lost, and the third tidies up",
  [
    "bash",
  ],
  () =>
    withTempDir((folder) => {
      const calendar = new Calendar(folder);

      calendar.write("ab", "xy");
      const first = calendar.runService(0);
      assert.equal(first.code, 0, first.stderr);
      assert.equal(calendar.chunks(), 4);

      // The source of one disk is gone: the other is backed up, all is verified, and nothing is removed.
      calendar.write("cd", undefined);
      const second = calendar.runService(1);
      assert.equal(second.code, 3, second.stderr);
      assert.match(
        second.stderr,
        /db01\/disk-0.*nightly: regrain backup ended with exit status 3\n.*not every disk has a good backup/s,
      );
      assert.match(second.stderr, /nightly: nothing is removed tonight\n$/);
      assert.match(second.stderr, /deep: 3 snapshots/);
      assert.deepEqual(nightsOf(calendar.snapshots(WEB)), [0, 1]);
      assert.deepEqual(nightsOf(calendar.snapshots(DB)), [0]);
      assert.equal(calendar.chunks(), 6);
      calendar.assertHolds(DB, calendar.snapshots(DB)[0]!.id, "xy");
      calendar.assertHolds(WEB, calendar.snapshots(WEB)[0]!.id, "ab");

      // Two days are kept, and what only the first night of one disk needed goes.
      calendar.write("ef", "xz");
      const third = calendar.runService(2);
      assert.equal(third.code, 0, third.stderr);
      const web = calendar.snapshots(WEB);
      const db = calendar.snapshots(DB);
      assert.deepEqual(nightsOf(web), [1, 2]);
      assert.deepEqual(nightsOf(db), [0, 2], "a night without a backup is no day that counts");
      calendar.assertHolds(WEB, web[0]!.id, "cd");
      calendar.assertHolds(WEB, web[1]!.id, "ef");
      calendar.assertHolds(DB, db[0]!.id, "xy");
      calendar.assertHolds(DB, db[1]!.id, "xz");
      assert.equal(calendar.chunks(), 4 + 3, "c d e f, x y z: of one disk each is a chunk, the last one cut");
      regrainExits(0, ["repo", "check", "--repo", calendar.repo]);
    }),
);

testWithPeers(
  "B16: by the line of cron a night that failed is seen behind the pipe, and a good one writes nothing",
  [
    "bash",
  ],
  () =>
    withTempDir((folder) => {
      const calendar = new Calendar(folder);
      calendar.write("a", "x");
      const good = calendar.runCron(0);
      assert.deepEqual([good.code, good.stdout, good.stderr], [0, "", ""]);
      // Damage that verify finds is exit status 1, and no gc may run then.
      const [chunk] = filesBelow(`${calendar.repo}/chunks`);
      const bytes = Deno.readFileSync(chunk!);
      bytes[bytes.length >> 1]! ^= 1;
      Deno.writeFileSync(chunk!, bytes);
      const bad = calendar.runCron(1);
      assert.equal(bad.stdout, "regrain-nightly: exit status 1\n");
      const log = Deno.readTextFileSync(`${folder}/log`);
      assert.match(log, /regrain verify ended with exit status 1/);
      assert.match(log, /nothing is removed tonight/);
      assert.deepEqual(nightsOf(calendar.snapshots(WEB)), [0, 1]);
    }),
);

testWithPeers(
  "B16: the nightly script takes a command with blanks for the passphrase, and paths with blanks in the list",
  ["bash"],
  () =>
    withTempDir((folder) => {
      const calendar = new Calendar(folder);
      calendar.write("a", "x");
      Deno.writeTextFileSync(`${folder}/pass phrase`, "open\n", { mode: 0o600 });
      const own = `${folder}/encrypted`;
      const passphrase = ["--passphrase-command", `cat '${folder}/pass phrase'`];
      regrainExits(0, ["repo", "init", "--encrypt", ...passphrase, "--repo", own]);
      const text = Deno.readTextFileSync(`${folder}/nightly.conf`).replace(
        /^REGRAIN_REPO=.*/m,
        `REGRAIN_REPO=${own}`,
      );
      const setting = `NIGHTLY_PASSPHRASE_COMMAND="${passphrase[1]}"`;
      Deno.writeTextFileSync(`${folder}/nightly.conf`, `${text}\n${setting}\n`);
      const { code, stderr } = calendar.runService(0);
      assert.equal(code, 0, stderr);
      const { stdout } = regrainExits(0, ["snapshots", "--json", ...passphrase, "--repo", own]);
      assert.equal(stdout.match(/"type":"snapshot"/g)?.length, 2);
    }),
);

testWithPeers(
  "B16: the nightly script refuses to run without a repository, disks, and rules of what is kept",
  ["bash"],
  () =>
    withTempDir((folder) => {
      const calendar = new Calendar(folder);
      calendar.write("a", "x");
      Deno.writeTextFileSync(`${folder}/disks`, "# none\n");
      const none = calendar.runService(0);
      assert.equal(none.code, 2, none.stderr);
      assert.match(none.stderr, /disks: names no disk/);
      for (const name of ["REGRAIN_REPO", "NIGHTLY_DISKS", "NIGHTLY_KEEP"]) {
        const text = Deno.readTextFileSync(`${folder}/nightly.conf`);
        Deno.writeTextFileSync(`${folder}/nightly.conf`, text.replace(new RegExp(`^${name}=.*`, "m"), ""));
        const refused = calendar.runService(0);
        assert.equal(refused.code, 2);
        assert.equal(refused.stderr, `nightly: ${name} is not set; nightly.conf shows how it is\n`);
        Deno.writeTextFileSync(`${folder}/nightly.conf`, text);
      }
    }),
);

testWithPeers(
  "B16: systemd takes the units, and the timer comes once in every night",
  ["systemd-analyze"],
  () =>
    withTempDir((folder) => {
      for (const name of ["regrain-nightly.service", "regrain-nightly.timer"]) {
        const text = Deno.readTextFileSync(`${NIGHTLY}/${name}`);
        Deno.writeTextFileSync(
          `${folder}/${name}`,
          text.replace("/usr/local/bin/", `${NIGHTLY}/`).replace(/^Documentation=.*\n/m, ""),
        );
      }
      const analyze = (...args: string[]) => new Deno.Command("systemd-analyze", { args }).outputSync();
      const verified = analyze(
        "verify",
        `${folder}/regrain-nightly.service`,
        `${folder}/regrain-nightly.timer`,
      );
      assert.equal(new TextDecoder().decode(verified.stderr).replaceAll(/^(?!.*regrain).*\n/gm, ""), "");
      const timer = Deno.readTextFileSync(`${NIGHTLY}/regrain-nightly.timer`);
      const [, calendar] = /^OnCalendar=(.*)$/m.exec(timer)!;
      const args = ["calendar", "--iterations=3", "--base-time=2025-03-29 12:00:00 UTC", calendar!];
      const { code, stdout } = analyze(...args);
      assert.equal(code, 0);
      assert.equal([...new TextDecoder().decode(stdout).matchAll(/00:30:00/g)].length >= 3, true);
    }),
);
