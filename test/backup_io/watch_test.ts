/** Who is told of a run, and how it is stopped. */
import assert from "node:assert/strict";
import { regrainCommand, regrainExits } from "../helpers/cli.ts";
import { diskOf, MIB, type Place, summaryOf, withPlace } from "./place.ts";

const DISK = diskOf(40 * MIB, [{ at: 0, lengthBytes: 40 * MIB, seed: 1 }]);
const NAME = "web01/disk-0";

function withDisk(fn: (place: Place & { image: string }) => void | Promise<void>): Promise<void> {
  return withPlace(async (place) => {
    const image = place.path("vm.img");
    Deno.writeFileSync(image, DISK);
    await fn({ ...place, image });
  });
}

/** Value of a metric in a file; `undefined` when it is not there. */
function metric(path: string, name: string): number | undefined {
  const line = Deno.readTextFileSync(path).split("\n").find((each) => each.startsWith(`regrain_${name}{`));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

Deno.test("a metrics file tells of a run that went well, and when that was stays when one fails", () =>
  withDisk(({ run, image, path, folder }) => {
    const metrics = path("backup.prom");
    const args = ["backup", image, "--name", NAME, "--metrics", metrics];
    run(args);
    assert.match(Deno.readTextFileSync(metrics), /\n# EOF\n$/);
    assert.equal(metric(metrics, "last_run_success"), 1);
    assert.equal(metric(metrics, "last_run_disk_bytes"), DISK.length);
    assert.equal(metric(metrics, "last_run_read_bytes"), DISK.length);
    assert.equal(metric(metrics, "last_run_new_chunks"), 40);
    const succeeded = metric(metrics, "last_success_timestamp_seconds");
    assert.ok(Math.abs(succeeded! - Date.now() / 1000) < 60);
    Deno.removeSync(image);
    run(args, { exit: 4 });
    assert.equal(metric(metrics, "last_run_exit_status"), 4);
    assert.equal(metric(metrics, "last_run_success"), 0);
    assert.equal(metric(metrics, "last_success_timestamp_seconds"), succeeded);
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["backup.prom", "repo"], "nothing half written stays");
  }));

Deno.test("a metrics file never takes the place of a disk, of what was restored, of a device or a folder", () =>
  withDisk(({ run, image, path }) => {
    const refused = run(["backup", image, "--name", NAME, "--metrics", image], { exit: 2 });
    assert.match(
      refused.stderr,
      /--metrics would overwrite this, .*\[TARGET_UNSUITABLE\]\nhint: name another file/,
    );
    assert.deepEqual(Deno.readFileSync(image), DISK);
    assert.equal(run(["snapshots", "--json"]).stdout.match(/"root":/g), null, "nothing is begun");
    run(["backup", image, "--name", NAME, "--metrics", path(".")], { exit: 2 });
    run(["backup", image, "--name", NAME, "--metrics", "/dev/null"], { exit: 2 });
    assert.ok(Deno.statSync("/dev/null").isCharDevice);
    run(["backup", image, "--name", NAME]);
    const made = path("made.img");
    const ran = run(["restore", `${NAME}@latest`, made, "--metrics", made], { exit: 3 });
    assert.match(
      ran.stderr,
      /warning: the metrics file was not written: .*made\.img: --metrics would overwrite this/,
    );
    assert.deepEqual(Deno.readFileSync(made), DISK);
  }));

Deno.test("the hook is told of the run, gets no secrets, and its failure is exit 3", () =>
  withDisk(({ run, image, path }) => {
    const told = path("told");
    const env = { REGRAIN_PASSPHRASE: "sesame", AWS_SECRET_ACCESS_KEY: "sesame", OTHER: "sesame" };
    const args = ["backup", image, "--name", NAME, "--json", "--unencrypted"];
    const ran = run([...args, "--hook-done", `env > '${told}'; echo heard`], { env });
    assert.equal(summaryOf(ran).type, "summary", "what the hook writes is no result");
    assert.match(ran.stderr, /^\{"type":"output","message":"heard"\}$/m);
    const text = Deno.readTextFileSync(told);
    assert.doesNotMatch(text, /sesame/);
    assert.match(text, /^REGRAIN_OPERATION=backup$/m);
    assert.match(text, new RegExp(`^REGRAIN_SNAPSHOT=${summaryOf(ran).id}$`, "m"));
    assert.match(text, /^REGRAIN_NEW_CHUNKS=40$/m);
    assert.match(text, /^REGRAIN_EXIT=0$/m);
    assert.match(run([...args, "--hook-done", "exit 9"], { exit: 3 }).stderr, /ended with exit status 9/);
    Deno.removeSync(image);
    run([...args, "--hook-done", `env > '${told}'; exit 9`], { exit: 4 });
    assert.match(Deno.readTextFileSync(told), /^REGRAIN_ERROR=NOT_FOUND$/m);
  }));

for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`${signal} stops a backup with ${exit}, and what was stored is used by the next`, () =>
    withDisk(async ({ run, repo, image }) => {
      const args = ["backup", image, "--name", NAME, "--rate-limit", "8M", "--repo", repo];
      const child = regrainCommand([...args, "--json"], { stdout: "null", stderr: "piped" }).spawn();
      await new Promise((resolve) => setTimeout(resolve, 2500));
      child.kill("SIGUSR2");
      await new Promise((resolve) => setTimeout(resolve, 200));
      child.kill(signal);
      const { code, stderr } = await child.output();
      const said = new TextDecoder().decode(stderr);
      assert.equal(code, exit, said);
      assert.match(said, / % .* of 40\.0 MiB/, "SIGUSR2 shows how far it is");
      assert.match(said, /used by the next backup/);
      assert.equal(run(["snapshots", "--json"]).stdout.match(/"root":/g), null, "nothing half is visible");
      const { stats } = summaryOf(run(["backup", image, "--name", NAME, "--json"]));
      assert.ok(stats.newChunks! > 0 && stats.newChunks! < 40, `${stats.newChunks} new chunks`);
    }));
}

Deno.test("with OTEL_DENO a run is sent as spans and counters, and without it nothing is", () =>
  withDisk(async ({ run, repo, image }) => {
    const got: string[] = [];
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => undefined },
      async (request) => {
        got.push(`${new URL(request.url).pathname} ${JSON.stringify(await request.json())}`);
        return new Response("{}", { headers: { "content-type": "application/json" } });
      },
    );
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_METRIC_EXPORT_INTERVAL: "500",
    };
    const args = ["backup", image, "--name", NAME, "--repo", repo];
    const command = regrainCommand(args, {
      env: { ...env, OTEL_DENO: "true" },
      stderr: "null",
      stdout: "null",
    });
    assert.ok((await command.output()).success);
    const sent = got.join("\n");
    assert.match(sent, /\/v1\/traces .*"regrain backup"/);
    for (const phase of ["open", "plan", "store"]) assert.match(sent, new RegExp(`"name":"${phase}"`));
    assert.match(sent, /\/v1\/metrics .*"regrain\.read_bytes"/);
    got.length = 0;
    run(["backup", image, "--name", NAME], { env });
    assert.deepEqual(got, []);
    await server.shutdown();
  }));

Deno.test("--json tells the plan and the summary as lines of their own", () =>
  withDisk(({ image, repo }) => {
    const { stdout } = regrainExits(0, ["backup", image, "--name", NAME, "--json", "--repo", repo]);
    const types = stdout.trim().split("\n").map((line) => JSON.parse(line).type);
    assert.deepEqual(types, ["plan", "summary"]);
  }));
