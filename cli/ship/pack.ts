/**
 * `deno task pack`: one executable file that needs nothing installed, built without network. It is a shell script with
 * this Deno and the program behind it. The first start unpacks both into a private folder; later ones find them there.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { replaceFile } from "../io/durable.ts";
import { LEAST_DENO, VERSION } from "../version.ts";
import { buildProgram, filesIn, LAUNCHER } from "./program.ts";

const EXECUTABLE = 0o755;
/** Offsets have as many digits in the script before it is known how long the script is. */
const DIGITS = 12;

async function pack(output: string): Promise<void> {
  const runtime = Deno.readFileSync(Deno.execPath());
  const files = new TextEncoder().encode(await filesScript());
  const id = createHash("sha256").update(runtime).update(files).digest("hex").slice(0, 16);
  const sum = posixSum([runtime, files]);
  const script = (at: number) =>
    new TextEncoder().encode(
      scriptText({ id, sum, runtimeAt: at, runtimeBytes: runtime.length, filesAt: at + runtime.length }),
    );
  const lengthBytes = script(0).length;
  replaceFile(output, Buffer.concat([script(lengthBytes), runtime, files]), EXECUTABLE);
}

/** A script for Deno that writes the program's files into the folder that it is given. */
async function filesScript(): Promise<string> {
  const folder = Deno.makeTempDirSync({ prefix: "regrain-pack-" });
  try {
    await buildProgram(folder);
    const files = filesIn(folder).map((name) => [name, Deno.readTextFileSync(`${folder}/${name}`)]);
    return `for (const [name, text] of ${JSON.stringify(files)}) {
  const path = \`\${Deno.args[0]}/\${name}\`;
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  Deno.writeTextFileSync(path, text);
}
`;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** What `cksum` of every system prints: its sum, and how many bytes there are. */
function posixSum(parts: readonly Uint8Array[]): string {
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte << 24;
    for (let bit = 0; bit < 8; bit++) value = value << 1 ^ (value < 0 ? 0x04c11db7 : 0);
    return value;
  });
  const lengthBytes = parts.reduce((sum, { length }) => sum + length, 0);
  const ofLength: number[] = [];
  for (let rest = lengthBytes; rest > 0; rest = Math.floor(rest / 256)) ofLength.push(rest % 256);
  let sum = 0;
  for (const part of [...parts, ofLength]) {
    for (const byte of part) sum = sum << 8 ^ table[sum >>> 24 ^ byte]!;
  }
  return `${~sum >>> 0} ${lengthBytes}`;
}

/** The loader of glibc, by which the runtime is started; where it is absent the shell only says "not found". */
const LOADER = Deno.build.arch === "aarch64" ? "/lib/ld-linux-aarch64.so.1" : "/lib64/ld-linux-x86-64.so.2";

/** Of programs it takes what every system has: `id`, `mkdir`, `chmod`, `cksum`, `tail`, `head`, `wc`, `rm`, `mv`. */
function scriptText(
  part: { id: string; sum: string; runtimeAt: number; runtimeBytes: number; filesAt: number },
): string {
  const from = (at: number) => `+${String(at + 1).padStart(DIGITS, "0")}`;
  return `#!/bin/sh
# regrain ${VERSION} with Deno ${LEAST_DENO} and all else that it needs, in one file. It unpacks itself once into
# REGRAIN_UNPACK_DIR, XDG_CACHE_HOME, ~/.cache or TMPDIR, whichever can be used first, below regrain-UID.
whole() {
  [ -f "$dir/complete" ] && [ "$(wc -c <"$dir/deno")" -eq ${part.runtimeBytes} ]
}
unpack() {
  root=$1/regrain-$(id -u) dir=$1/regrain-$(id -u)/${part.id}
  [ -d "$root" ] || mkdir -p "$1" && { [ -d "$root" ] || mkdir -m 700 "$root"; } || return 1
  # Nobody else may have made it, or be able to write to it: what is in it is run.
  [ -O "$root" ] && [ ! -L "$root" ] && chmod 700 "$root" || return 1
  # After a power loss what was unpacked may be there by name alone.
  whole && return 0
  [ -z "$why" ] || return 1
  # A copy that was cut, or changed on its way, would run up to where it is.
  [ "$(tail -c ${from(part.runtimeAt)} "$0" | cksum)" = "${part.sum}" ] || { why=damaged; return 1; }
  new=$root/new-$$
  rm -rf "$new" && mkdir "$new" &&
    tail -c ${
    from(part.runtimeAt)
  } "$0" | head -c ${part.runtimeBytes} >"$new/deno" && chmod 700 "$new/deno" &&
    tail -c ${from(part.filesAt)} "$0" >"$new/files.js" && run "$new" files.js "$new" &&
    rm "$new/files.js" && : >"$new/complete" || { rm -rf "$new"; return 1; }
  [ ! -d "$dir" ] || whole || rm -rf "$dir"
  if [ -d "$dir" ]; then rm -rf "$new"; else mv "$new" "$dir"; fi
}
run() {
  where=$1 script=$1/$2
  shift 2
  DENO_DIR=$where/cache DENO_NO_UPDATE_CHECK=1 "$where/deno" run --quiet --allow-all --no-config --no-lock \\
    --cached-only --no-prompt "$script" "$@"
}
why=
{ [ "$(head -c 9 "$0")" = "#!/bin/sh" ] || why=pipe; } 2>/dev/null
[ -e ${LOADER} ] || why=libc
for base in "\${REGRAIN_UNPACK_DIR:-}" "\${XDG_CACHE_HOME:-}" "\${HOME:+$HOME/.cache}" "\${TMPDIR:-/tmp}"; do
  [ -n "$base" ] && unpack "$base" 2>/dev/null || continue
  export DENO_DIR="$dir/cache" DENO_NO_UPDATE_CHECK=1
  exec "$dir/deno" run --quiet --allow-all --no-config --no-lock --cached-only --no-prompt "$dir/${LAUNCHER}" "$@"
done
case $why in
  damaged)
    echo "regrain: $0 is not as it was made: it was cut, or changed on its way" >&2
    echo "hint: copy it again, in binary mode, and compare its size with that of the first" >&2
    exit 6
    ;;
  pipe)
    echo "regrain: it reads what it unpacks from its own file, and cannot be run from a pipe" >&2
    echo "hint: keep it in a file, chmod +x it, and run that" >&2
    exit 6
    ;;
  libc)
    echo "regrain: it needs glibc, and ${LOADER} is not on this system (Alpine and ESXi have none)" >&2
    echo "hint: run it on another host, or in a container of a system with glibc" >&2
    exit 6
    ;;
esac
echo "regrain: it cannot unpack itself: name a folder by REGRAIN_UNPACK_DIR" >&2
echo "hint: it needs room for 110 MB, must be yours, and programs in it may be run (no mount with noexec)" >&2
exit 6
`;
}

const [output = "dist/regrain.run"] = Deno.args;
const slash = output.lastIndexOf("/");
if (slash > 0) Deno.mkdirSync(output.slice(0, slash), { recursive: true });
await pack(output);
console.log(`${output}: regrain ${VERSION} with Deno ${Deno.version.deno} for ${Deno.build.target}`);
