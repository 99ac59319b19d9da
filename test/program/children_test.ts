/** What programs that regrain starts learn of its environment: each is a script here that writes down what it got. */
import assert from "node:assert/strict";
import { regrain, regrainCommand } from "../helpers/cli.ts";
import { withInspector } from "../helpers/inspector.ts";
import { peer, testWithPeers, withTempDir } from "../helpers/peers.ts";

/** What no child may learn. */
const SECRET = "open sesame";
const SECRETS = {
  ...{ REGRAIN_PASSPHRASE: SECRET, REGRAIN_TO_PASSPHRASE: SECRET, REGRAIN_NEW_PASSPHRASE: SECRET },
  ...{ AWS_ACCESS_KEY_ID: SECRET, AWS_SECRET_ACCESS_KEY: SECRET, AWS_SESSION_TOKEN: SECRET },
  ...{ SOMETHING_PASSWORD: SECRET, OTEL_EXPORTER_OTLP_HEADERS: SECRET, NODE_OPTIONS: "", ODD_TOKEN: SECRET },
};
/** What all of them may learn; a shell adds the second line itself. */
const EVERY = [
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_ALL"],
  ...["LC_CTYPE", "LC_MESSAGES", "PWD", "OLDPWD", "SHLVL", "_"],
];
const COMMAND = [
  ...["SSH_AUTH_SOCK", "KRB5CCNAME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"],
  ...["GNUPGHOME", "GPG_TTY", "PASSWORD_STORE_DIR", "CREDENTIALS_DIRECTORY"],
];
const PASSED = {
  SSH_AUTH_SOCK: "/run/agent",
  DISPLAY: ":7",
  LANG: "C.UTF-8",
  XDG_RUNTIME_DIR: "/run/user/7",
};

interface Place {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Puts a script first on the search path. */
  script(name: string, lines: string): void;
  /** Variables that a script wrote down. */
  told(name: string): Map<string, string>;
}

function withPlace(fn: (place: Place) => void | Promise<void>): Promise<void> {
  return withTempDir(async (folder) => {
    Deno.mkdirSync(`${folder}/bin`);
    const PATH = `${folder}/bin:${Deno.env.get("PATH")}`;
    await fn({
      folder,
      env: { ...SECRETS, ...PASSED, PATH, TMPDIR: folder, REGRAIN_REPO: `${folder}/repo` },
      script: (name, lines) =>
        Deno.writeTextFileSync(`${folder}/bin/${name}`, `#!/bin/sh\n${lines}\n`, { mode: 0o755 }),
      told: (name) => {
        const text = Deno.readTextFileSync(`${folder}/${name}`);
        return new Map(
          text.trim().split("\n").map((line) => {
            const equals = line.indexOf("=");
            return [line.slice(0, equals), line.slice(equals + 1)];
          }),
        );
      },
    });
  });
}

/** Asserts that a child got no secret, nothing that is not named, and what it needs. */
function assertClean(told: Map<string, string>, more: readonly string[], needs: readonly string[]): void {
  assert.deepEqual([...told].filter(([, value]) => value.includes(SECRET)), []);
  assert.deepEqual([...told.keys()].filter((name) => !EVERY.includes(name) && !more.includes(name)), []);
  for (const name of needs) assert.equal(told.get(name), PASSED[name as keyof typeof PASSED], name);
}

testWithPeers(
  "E4: qemu-img learns no secret when it makes a restored disk",
  ["qemu-img"],
  () =>
    withPlace(({ folder, env, script, told }) => {
      script("qemu-img", `env >> '${folder}/told'\nexec '${peer("qemu-img")}' "$@"`);
      Deno.writeFileSync(`${folder}/vm.img`, new Uint8Array(1 << 20).fill(7));
      const calls = [
        ["repo", "init", "--encrypt"],
        ["backup", `${folder}/vm.img`, "--name", "a"],
        ["restore", "a", `${folder}/vm.qcow2`, "--format", "qcow2"],
      ];
      for (const args of calls) {
        const { code, stderr } = regrain(args, { env });
        assert.equal(code, 0, stderr);
      }
      assertClean(told("told"), [], ["LANG"]);
      assert.equal(new TextDecoder().decode(Deno.readFileSync(`${folder}/vm.qcow2`).subarray(0, 3)), "QFI");
    }),
);

Deno.test({
  name: "E4: hooks and --from-command get a named list of variables, and what the command sets itself",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withPlace(({ folder, env, told }) => {
      const commands = {
        "--from-command": `env > '${folder}/from'; head -c 1048576 /dev/zero`,
        "--hook-done": `MINE=1; export MINE; env > '${folder}/hook'`,
      };
      for (
        const args of [
          ["repo", "init", "--encrypt"],
          ["backup", "--name", "a", ...Object.entries(commands).flat()],
        ]
      ) {
        const { code, stderr } = regrain(args, { env });
        assert.equal(code, 0, stderr);
      }
      assertClean(told("from"), COMMAND, ["SSH_AUTH_SOCK", "LANG", "XDG_RUNTIME_DIR"]);
      const hook = told("hook");
      const facts = [...hook.keys()].filter((name) => name.startsWith("REGRAIN_") && !(name in SECRETS));
      assert.equal(hook.get("REGRAIN_STATUS"), "done");
      assert.equal(hook.get("MINE"), "1");
      assertClean(hook, [...COMMAND, ...facts, "MINE"], ["SSH_AUTH_SOCK"]);
    }),
});

Deno.test({
  name: "E4: the browser learns where the screen is, and no secret",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withPlace(async ({ folder, env, script, told }) => {
      script("xdg-open", `env > '${folder}/part'\nmv '${folder}/part' '${folder}/told'`);
      await withInspector([], { env }, async () => {
        for (let i = 0; ![...Deno.readDirSync(folder)].some(({ name }) => name === "told"); i++) {
          assert.ok(i < 500, "the browser is not opened");
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      });
      const desktop = [...told("told").keys()].filter((name) =>
        /^(DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|BROWSER|DESKTOP_SESSION|DBUS_SESSION_BUS_ADDRESS|XDG_\w+)$/
          .test(name)
      );
      assertClean(told("told"), desktop, ["DISPLAY", "LANG", "XDG_RUNTIME_DIR"]);
    }),
});

Deno.test({
  name: "E4: what the S3 client starts, credential_process, learns no passphrase",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withPlace(async ({ folder, env, script, told }) => {
      const credentials = '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b"}';
      script("credentials", `env > '${folder}/told'\necho '${credentials}'`);
      const profile = `[profile p]\ncredential_process = ${folder}/bin/credentials\nregion = us-east-1\n`;
      Deno.writeTextFileSync(`${folder}/config`, profile);
      const denied = () => new Response("<Error><Code>AccessDenied</Code></Error>", { status: 403 });
      const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => undefined }, denied);
      const passphrases = Object.entries(SECRETS).filter(([name]) => name.startsWith("REGRAIN_"));
      const endpoint = `http://127.0.0.1:${server.addr.port}`;
      const command = regrainCommand(
        ["snapshots", "--repo", "s3://bucket/vms", "--endpoint", endpoint, "--profile", "p"],
        {
          env: { ...Object.fromEntries(passphrases), PATH: env.PATH!, AWS_CONFIG_FILE: `${folder}/config` },
          stdout: "null",
          stderr: "piped",
        },
      );
      const { code, stderr } = await command.output();
      await server.shutdown();
      assert.equal(code, 7, new TextDecoder().decode(stderr));
      const got = told("told");
      assert.deepEqual([...got].filter(([, value]) => value.includes(SECRET)), []);
      assert.equal(got.get("AWS_CONFIG_FILE"), `${folder}/config`, "it is the environment of the client");
    }),
});

testWithPeers(
  "E4: a program is found by the search path where regrain may not read it",
  ["qemu-img"],
  () =>
    withPlace(({ folder, env }) => {
      Deno.writeFileSync(`${folder}/vm.img`, new Uint8Array(1 << 20).fill(7));
      const permissions = [`--allow-read=${folder}`, `--allow-write=${folder}`, "--allow-run=qemu-img"];
      for (const args of [["repo", "init"], ["backup", `${folder}/vm.img`, "--name", "a"]]) {
        regrain([...args, "--repo", `${folder}/repo`]);
      }
      const args = ["restore", "a", `${folder}/vm.qcow2`, "--format", "qcow2", "--repo", `${folder}/repo`];
      args.push("--unencrypted");
      const { code, stderr } = regrain(args, { env, permissions });
      assert.equal(code, 0, stderr);
    }),
);
