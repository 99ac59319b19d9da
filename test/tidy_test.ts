/**
 * The rules of the house, checked: which way imports may point, where the outside world may be touched, and what no
 * file may hold. The arrows are those of ARCHITECTURE.md; a change of shape changes both.
 */
import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { fileURLToPath } from "node:url";

/** Parts of the house: the first whose pattern a path matches is its part. */
const PARTS = [
  ["test", /_test\.tsx?$|^test\//],
  ["assembly", /^core-as\/assembly\//],
  ["kernels", /^core-as\/core\.wasm$/],
  ["units", /^core-as\/host\/units\.ts$/],
  ["host", /^core-as\/host\//],
  ["build", /^core-as\/build\.ts$/],
  ["main", /^cli\/(main|run)\.ts$/],
  ["program", /^cli\/program(\.ts$|\/)/],
  ["ship", /^cli\/ship\//],
  ["library", /^cli\/library\//],
  ["context", /^cli\/context\.ts$/],
  ["exit-status", /^cli\/exit_status\.ts$/],
  ["version", /^cli\/(version|build_facts|deno_version)\.ts$/],
  ["child", /^cli\/child\.ts$/],
  ["environment", /^cli\/environment\.ts$/],
  ["deno-errors", /^cli\/deno_errors\.ts$/],
  ["commands", /^cli\/commands\//],
  ["session", /^cli\/session\//],
  ["report", /^cli\/report\//],
  ["lanes", /^cli\/lanes\//],
  ["workers", /^cli\/workers\//],
  ["ui", /^cli\/ui\//],
  ["io", /^cli\/io\//],
  ["stream", /^cli\/stream\//],
  ["places", /^cli\/places\//],
  ["target", /^cli\/target\//],
  ["apply", /^cli\/apply\//],
  ["sync", /^cli\/sync\//],
  ["store-flags", /^cli\/store\/(?:[a-z0-9_]+\/)?flags\.ts$/],
  ["restore", /^cli\/backup\/restore\//],
  ["capability", /^cli\/[a-z_]+\//],
  ["page", /^inspector-web\/dist\/inspector(-repository)?\.html$/],
  ["inspector-build", /^inspector-web\/(build|base85)\.ts$/],
  ["inspector", /^inspector-web\//],
  ["fixtures", /^fixtures\//],
] as const;
type Part = typeof PARTS[number][0];

const HOST = ["units", "host"] as const;
const CAPABILITIES = [
  "io",
  "stream",
  "places",
  "target",
  "apply",
  "sync",
  "lanes",
  "store-flags",
  "restore",
  "capability",
] as const;

/** What each part may import beside itself. Tests may import everything. */
const ARROWS: Record<Part, readonly Part[]> = {
  assembly: [],
  kernels: [],
  units: [],
  host: [...HOST],
  build: [],
  io: [...HOST, "deno-errors"],
  stream: [...HOST, "deno-errors", "io", "child"],
  places: [...HOST, "deno-errors", "io"],
  target: [...HOST, "deno-errors", "io", "stream", "places"],
  apply: [...HOST, "deno-errors", "io", "stream", "places", "target", "lanes"],
  sync: [...HOST, "io", "places", "target"],
  "store-flags": [],
  capability: [
    ...HOST,
    "deno-errors",
    "store-flags",
    "io",
    "stream",
    "child",
    "environment",
    "lanes",
    "restore",
  ],
  restore: [...HOST, "deno-errors", "io", "child", "lanes", "places", "target", "capability"],
  lanes: [...HOST],
  workers: [...HOST, ...CAPABILITIES, "context"],
  context: [...HOST, "kernels", "io"],
  ui: [...HOST, "deno-errors"],
  "exit-status": [],
  version: [...HOST, "deno-errors"],
  report: [...HOST, ...CAPABILITIES, "ui"],
  session: [
    ...HOST,
    ...CAPABILITIES,
    ...(["context", "version", "exit-status", "child", "environment", "deno-errors", "ui"] as const),
  ],
  child: ["environment"],
  environment: [...HOST, "deno-errors"],
  "deno-errors": [...HOST],
  commands: [
    ...HOST,
    ...CAPABILITIES,
    ...([
      "context",
      "version",
      "exit-status",
      "session",
      "report",
      "child",
      "environment",
      "deno-errors",
      "ui",
      "page",
    ] as const),
  ],
  program: ["host", "commands", "store-flags", "version", "exit-status"],
  main: [...HOST, "exit-status", "program", "commands", "session", "ui", "version", "workers"],
  library: [...HOST, ...CAPABILITIES, "context", "version"],
  ship: [...HOST, "deno-errors", "io", "program", "capability", "version", "exit-status"],
  page: [],
  "inspector-build": [],
  inspector: [...HOST],
  fixtures: ["units"],
  test: PARTS.map(([part]) => part),
};

/** Shelves of `cli/backup`, and which of the others each may import; all of them the files beside the shelves. */
const SHELVES: Record<string, readonly string[]> = {
  signs: [],
  snapshots: ["signs"],
  make: ["signs", "snapshots"],
  collect: ["signs", "snapshots"],
  keep: ["signs", "snapshots"],
  restore: ["snapshots"],
  verify: ["signs", "snapshots", "keep", "restore"],
  seed: ["make"],
};

/**
 * Shelves of the inspector: which others each may import, beside `shared`, which all may. Page and worker never meet:
 * they talk by what is in `shared`.
 */
const INSPECTOR_SHELVES: Readonly<Record<string, readonly string[]>> = {
  "shared": [],
  "page/model": [],
  "page/actions": ["page/model"],
  "page/map": ["page/model", "page/actions"],
  "page/bytes": ["page/model", "page/actions"],
  "page/panels": ["page/model", "page/actions"],
  "page/open": ["page/actions"],
  "page": ["page/model", "page/actions", "page/map", "page/bytes", "page/panels", "page/open"],
  "worker/sources": [],
  "worker/disk": ["worker/sources"],
  "worker/map": ["worker/disk"],
  "worker/guest": ["worker/disk"],
  "worker/judgement": ["worker/disk", "worker/guest"],
  "worker/answers": ["worker/sources", "worker/disk", "worker/map"],
  "worker/repository": ["worker/sources", "worker/disk"],
  "worker": [
    ...["worker/sources", "worker/disk", "worker/map", "worker/guest", "worker/judgement"],
    ...["worker/answers", "worker/repository"],
  ],
  "zstd": ["worker/repository"],
};
/** Packages that each shelf may import; the worker has none, and what the page knows needs no Preact. */
const INSPECTOR_PACKAGES: Readonly<Record<string, RegExp>> = {
  "page": /^preact/,
  "page/map": /^preact/,
  "page/bytes": /^preact/,
  "page/panels": /^preact/,
  "page/open": /^preact/,
  "zstd": /^@bokuweb\/zstd-wasm$/,
};

/** Packages and built-ins that each part may import; a part that is not named here may import none. */
const PACKAGES: Partial<Record<Part, RegExp>> = {
  host: /^fflate$/,
  build: /^assemblyscript\/asc$/,
  io: /^node:/,
  stream: /^node:/,
  target: /^node:/,
  apply: /^node:/,
  ship: /^node:/,
  capability: /^node:|^@/,
  restore: /^node:/,
  context: /^node:/,
  commands: /^node:/,
  program: /^@commander-js\/extra-typings$/,
  main: /^@commander-js\/extra-typings$/,
  "inspector-build": /^node:url$|^@gfx\/zopfli$/,
  fixtures: /^node:/,
  test: /./,
};

/** What no line of the named files may hold. Needles are put together so that this file does not hold them. */
const BANNED: readonly { what: string; in: RegExp; except?: RegExp; pattern: RegExp }[] = [
  { what: "dlopen", in: /\.tsx?$/, except: /^cli\/io\/linux\.ts$/, pattern: /Deno\.dlopen\(/ },
  { what: "Deno or node:", in: /^core-as\/host\//, except: /_test\.ts$/, pattern: /\bDeno\.\w|["']node:/ },
  {
    what: "unfinished work",
    in: /\.tsx?$/,
    pattern: new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`),
  },
  { what: "any", in: /\.tsx?$/, pattern: /^(?!\s*(\*|\/)).*(:|\bas|<)\s*any\b/ },
  { what: "a test that shuts out others", in: /_test\.ts$/, pattern: /Deno\.test\.only\b|\bonly:\s*true/ },
  { what: "a tab", in: /\.tsx?$/, pattern: /\t/ },
  // deno-lint-ignore no-control-regex
  { what: "a control character", in: /\.tsx?$/, pattern: /[\x00-\x08\x0b-\x1f\x7f]/ },
  { what: "a line over 120 characters", in: /\.tsx?$/, pattern: /^.{121}/u },
  { what: "a path of one machine", in: /./, pattern: new RegExp(`/${"wo"}rk/|/${"ho"}me/\\w|/${"ro"}ot/`) },
  { what: "a registry's host", in: /./, pattern: new RegExp(`${"npm"}js\\.(org|com)|\\b${"js"}r\\.io`) },
  {
    what: "an error of Deno, which cli/deno_errors.ts alone tells apart",
    in: /^cli\//,
    except: /^cli\/deno_errors\.ts$|_test\.ts$/,
    pattern: /\bDeno\.errors\b|\bos error\b/,
  },
  {
    what: "a code of the system beside cli/deno_errors.ts",
    in: /^cli\//,
    // Errors of zlib have codes of their own.
    except: /^cli\/(deno_errors|stream\/unpack)\.ts$|_test\.ts$/,
    pattern: /["']code["'] in /,
  },
  {
    what: "a file that is put in place beside cli/io/durable.ts",
    in: /^cli\//,
    except: /^cli\/io\/durable\.ts$|_test\.ts$/,
    pattern: /\b(Deno|fs)\.rename(Sync)?\(/,
  },
  {
    what: "a file that is made durable beside cli/io",
    in: /^cli\//,
    // The log file grows, and a target is no small file.
    except: /^cli\/io\/(durable|log_file|portable|linux|linux_file)\.ts$|_test\.ts$/,
    pattern: /\bfsync(Sync)?\(|\.syncSync\(|\bawait \w+\.sync\(/,
  },
];

/** The largest is the built page with zstd in it. */
const MAX_FILE_BYTES = 288 * 1024;
const BINARY = /\.(wasm|png|ico|gz|vmdk|img)$/;

const root = fileURLToPath(new URL("..", import.meta.url));
const files = await listFiles();
const texts = new Map(
  files.filter((file) => !BINARY.test(file)).map((file) => [file, Deno.readTextFileSync(root + file)]),
);
const sources = [...texts].filter(([file]) => /\.tsx?$/.test(file));

/** Files that git knows or would take; without git, all that is not hidden or made. */
async function listFiles(): Promise<string[]> {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  try {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: root, stderr: "null" }).output();
    if (success) {
      return new TextDecoder().decode(stdout).split("\0").filter((file) =>
        file !== "" && exists(root + file)
      );
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return [...walk("")];
}

function* walk(folder: string): Generator<string> {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(root + folder)) {
    const path = folder + name;
    if (isFile) yield path;
    else if (isDirectory && !/^\.(?!ci$)|^(node_modules|dist|out)$/.test(name)) yield* walk(`${path}/`);
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function partOf(path: string): Part | undefined {
  return PARTS.find(([, pattern]) => pattern.test(path))?.[0];
}

/** What is wrong with an import of `to` (a path, or a package) by the file `from`; undefined when nothing is. */
function violation(from: string, to: string): string | undefined {
  const part = partOf(from);
  if (part === undefined) return `${from} is in no part of the house`;
  const packages = part === "inspector" ? INSPECTOR_PACKAGES[inspectorShelf(from)] : PACKAGES[part];
  if (!to.includes("/") || /^(node:|npm:|jsr:|https?:|@)/.test(to) || packages?.test(to)) {
    return packages?.test(to) ? undefined : `${from} (${part}) must not import the package ${to}`;
  }
  const target = partOf(to);
  if (part !== "test" && target === "test") return `${from} (${part}) must not import the test ${to}`;
  if (
    target !== undefined && (target === part || ARROWS[part].includes(target)) && sameCapability(from, to) &&
    betweenShelves(from, to) &&
    betweenInspectorShelves(from, to)
  ) return undefined;
  return `${from} (${part}) must not import ${to} (${target ?? "no part"})`;
}

/** Capabilities without a name of their own above do not import each other. */
function sameCapability(from: string, to: string): boolean {
  const isCapability = (path: string) => ["capability", "restore"].includes(partOf(path)!);
  if (!isCapability(from) || !isCapability(to)) return true;
  return dirname(from).startsWith(to.split("/").slice(0, 2).join("/"));
}

/** The shelf of `cli/backup` that a file is on; undefined for the files beside the shelves, and for all others. */
function shelfOf(path: string): string | undefined {
  return /^cli\/backup\/([a-z_]+)\//.exec(path)?.[1];
}

/** Inside of `cli/backup`, a shelf imports those that it may; the files beside the shelves import none. */
function betweenShelves(from: string, to: string): boolean {
  if (partOf(from) === "test" || !from.startsWith("cli/backup/")) return true;
  const [own, other] = [shelfOf(from), shelfOf(to)];
  if (own !== undefined && SHELVES[own] === undefined) return false;
  return other === undefined || other === own || (own !== undefined && SHELVES[own]!.includes(other));
}

/** The shelf of the inspector that a path is on: `page/model`; what lies beside the shelves is on `page`. */
function inspectorShelf(path: string): string {
  return /^inspector-web\/((?:page|worker)\/[a-z_]+(?=\/)|[a-z_]+(?=\/))/.exec(path)?.[1] ?? "";
}

/** Within the inspector, each shelf imports itself, `shared` and those that it names. */
function betweenInspectorShelves(from: string, to: string): boolean {
  if (partOf(from) !== "inspector" || partOf(to) !== "inspector") return true;
  const [shelf, other] = [inspectorShelf(from), inspectorShelf(to)];
  const reached = INSPECTOR_SHELVES[shelf];
  return reached !== undefined && (other === shelf || other === "shared" || reached.includes(other));
}

const IMPORTS = [
  /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm,
  /^\s*import\s*["']([^"']+)["']/gm,
  /\bimport\(\s*["']([^"']+)["']\s*\)/g,
];

/** What a file imports: paths from the root, or packages. */
function importsOf(file: string, text: string): string[] {
  const names = IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1]!));
  return names.map((name) => {
    if (!name.startsWith(".")) return name;
    const path = join(dirname(file), name);
    return /\.\w+$/.test(path) ? path : `${path}.ts`;
  });
}

const graph = new Map(sources.map(([file, text]) => [file, importsOf(file, text)]));

/** A way of imports that comes back to where it began, if there is one. */
function findCycle(imports: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const next of imports.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}

Deno.test("imports point only where ARCHITECTURE.md lets them", () => {
  assert.ok(graph.size > 50, "the sources were not found");
  const wrong = [...graph].flatMap(([file, imports]) => imports.map((to) => violation(file, to)));
  assert.deepEqual(wrong.filter((each) => each !== undefined), []);
});

Deno.test("every shelf of cli/backup is drawn, and every drawn one is there", () => {
  const found = new Set([...graph.keys()].map(shelfOf).filter((shelf) => shelf !== undefined));
  assert.deepEqual([...found].sort(), Object.keys(SHELVES).sort());
});

Deno.test("every shelf of the inspector is drawn, and every drawn one is there", () => {
  const inside = [...graph.keys()].filter((file) => partOf(file) === "inspector").map(inspectorShelf);
  assert.deepEqual([...new Set(inside)].sort(), Object.keys(INSPECTOR_SHELVES).sort());
});

Deno.test("the rules of imports refuse what they should", () => {
  const refused: [string, string][] = [
    ["core-as/host/x.ts", "cli/io/mod.ts"],
    ["core-as/host/x.ts", "node:fs"],
    ["core-as/host/x.ts", "core-as/core.wasm"],
    ["core-as/host/x.ts", "core-as/assembly/runs.ts"],
    ["core-as/assembly/x.ts", "core-as/host/units.ts"],
    ["cli/io/x.ts", "cli/apply/engine.ts"],
    ["cli/apply/x.ts", "cli/ui/mod.ts"],
    ["cli/target/x.ts", "cli/apply/run.ts"],
    ["cli/backup/x.ts", "cli/target/judge.ts"],
    ["cli/backup/x.ts", "cli/places/place.ts"],
    ["cli/backup/x.ts", "cli/backup/make/y.ts"],
    ["cli/backup/signs/x.ts", "cli/backup/make/y.ts"],
    ["cli/backup/verify/x.ts", "cli/backup/make/y.ts"],
    ["cli/backup/make/x.ts", "cli/target/judge.ts"],
    ["cli/watch/x.ts", "cli/backup/restore/y.ts"],
    ["cli/backup/elsewhere/x.ts", "cli/backup/y.ts"],
    ["cli/places/x.ts", "cli/target/judge.ts"],
    ["cli/places/x.ts", "cli/backup/y.ts"],
    ["cli/apply/x.ts", "cli/commands/apply.ts"],
    ["cli/ui/x.ts", "cli/io/mod.ts"],
    ["cli/session/x.ts", "cli/commands/apply.ts"],
    ["cli/apply/x.ts", "cli/session/session.ts"],
    ["cli/ui/x.ts", "cli/session/session.ts"],
    ["cli/report/x.ts", "cli/session/session.ts"],
    ["cli/apply/x.ts", "cli/report/apply.ts"],
    ["cli/lanes/x.ts", "cli/backup/lanes.ts"],
    ["cli/ship/x.ts", "cli/commands/version.ts"],
    ["cli/library/x.ts", "cli/commands/apply.ts"],
    ["cli/report/x.ts", "cli/commands/apply.ts"],
    ["cli/commands/x.ts", "cli/workers/apply_lane.ts"],
    ["cli/commands/x.ts", "cli/main.ts"],
    ["cli/commands/x.ts", "cli/program.ts"],
    ["cli/commands/x.ts", "core-as/core.wasm"],
    ["cli/sync/x.ts", "cli/backup/y.ts"],
    ["cli/apply/x.ts", "inspector-web/main.tsx"],
    ["inspector-web/x.ts", "cli/io/mod.ts"],
    ["inspector-web/page/map/x.ts", "cli/io/mod.ts"],
    ["inspector-web/page/actions/x.ts", "inspector-web/page/map/grain_map.ts"],
    ["inspector-web/page/model/x.ts", "inspector-web/page/actions/desk.ts"],
    ["inspector-web/page/panels/x.tsx", "inspector-web/page/map/grain_map.ts"],
    ["inspector-web/page/bytes/x.tsx", "inspector-web/page/keys.ts"],
    ["inspector-web/page/x.ts", "inspector-web/worker/session.ts"],
    ["inspector-web/worker/map/x.ts", "inspector-web/worker/repository/snapshot_disk.ts"],
    ["inspector-web/worker/map/x.ts", "inspector-web/page/model/store.ts"],
    ["inspector-web/worker/answers/x.ts", "inspector-web/worker/session.ts"],
    ["inspector-web/shared/x.ts", "inspector-web/page/model/store.ts"],
    ["inspector-web/page/newer/x.ts", "inspector-web/page/model/store.ts"],
    ["inspector-web/page/model/x.ts", "preact"],
    ["inspector-web/page/actions/x.ts", "preact/hooks"],
    ["inspector-web/worker/x.ts", "preact"],
    ["inspector-web/page/x.ts", "@bokuweb/zstd-wasm"],
    ["fixtures/x.ts", "core-as/host/mod.ts"],
    ["fixtures/x.ts", "fflate"],
    ["cli/apply/x.ts", "test/helpers/memory.ts"],
    ["elsewhere/x.ts", "core-as/host/mod.ts"],
  ];
  for (const [from, to] of refused) {
    assert.match(violation(from, to) ?? "", /must not|no part/, `${from} -> ${to}`);
  }
  const allowed: [string, string][] = [
    ["cli/apply/x.ts", "cli/io/mod.ts"],
    ["cli/apply/x.ts", "cli/target/judge.ts"],
    ["cli/sync/x.ts", "cli/sync/y.ts"],
    ["cli/backup/restore/x.ts", "cli/target/judge.ts"],
    ["cli/backup/make/x.ts", "cli/backup/y.ts"],
    ["cli/backup/verify/x.ts", "cli/backup/restore/y.ts"],
    ["cli/commands/x.ts", "cli/backup/make/y.ts"],
    ["cli/context.ts", "core-as/core.wasm"],
    ["fixtures/x.ts", "core-as/host/units.ts"],
    ["inspector-web/page/map/x.tsx", "inspector-web/page/actions/desk.ts"],
    ["inspector-web/page/map/x.tsx", "inspector-web/shared/protocol.ts"],
    ["inspector-web/page/map/x.tsx", "core-as/host/units.ts"],
    ["inspector-web/page/map/x.tsx", "preact/hooks"],
    ["inspector-web/page/x.tsx", "inspector-web/page/panels/facts.tsx"],
    ["inspector-web/zstd/x.ts", "@bokuweb/zstd-wasm"],
    ["core-as/host/x_test.ts", "test/helpers/memory.ts"],
  ];
  for (const [from, to] of allowed) assert.equal(violation(from, to), undefined);
});

Deno.test("every import is seen, however it is written", () => {
  // `#` stands for the keyword, so that these are no imports of this file.
  const text = [
    '# a from "./a.ts";',
    "# {\n  b,\n  type C,\n} from '../b.ts';",
    '# type { F } from "node:fs";',
    '# g from "./g";',
    'export * from "./c.ts";',
    '# "./d.ts";',
    'const e = await #("./e.ts");',
  ].join("\n").replaceAll("#", "import");
  assert.deepEqual(importsOf("x/y/z.ts", text), [
    ...["x/y/a.ts", "x/b.ts", "node:fs", "x/y/g.ts", "x/y/c.ts"],
    ...["x/y/d.ts", "x/y/e.ts"],
  ]);
});

Deno.test("every import of a file leads to a file", () => {
  for (const [file, imports] of graph) {
    for (const to of imports) {
      if (partOf(to) === undefined || to.startsWith("@") || to.startsWith("node:")) continue;
      assert.ok(files.includes(to), `${file} imports ${to}`);
    }
  }
});

Deno.test("no imports go round in a circle", () => {
  assert.equal(findCycle(graph)?.join(" -> "), undefined);
  assert.deepEqual(findCycle(new Map([["a", ["b"]], ["b", ["c"]], ["c", ["b"]]])), ["b", "c", "b"]);
  assert.equal(findCycle(new Map(Object.entries(INSPECTOR_SHELVES)))?.join(" -> "), undefined);
});

Deno.test("no line holds what is banned there", () => {
  const found: string[] = [];
  for (const { what, pattern, ...rule } of BANNED) {
    for (const [file, text] of texts) {
      if (!rule.in.test(file) || rule.except?.test(file)) continue;
      const line = text.split("\n").findIndex((line) => pattern.test(line));
      if (line >= 0) found.push(`${file}:${line + 1}: ${what}`);
    }
  }
  assert.deepEqual(found, []);
});

Deno.test("another translation of errors, or another way to write durably, is found", () => {
  const refused = [
    "if (error instanceof Deno.errors.NotFound) return;",
    "const { NotFound } = Deno.errors;",
    "if (/os error 28/.test(message)) return;",
    'if ("code" in error) return;',
    "Deno.renameSync(temporary, path);",
    "await Deno.rename(temporary, path);",
    "fs.fsyncSync(fd);",
    "file.syncSync();",
    "await file.sync();",
  ];
  for (const line of refused) {
    const rules = BANNED.filter((rule) => rule.in.test("cli/x/y.ts") && !rule.except?.test("cli/x/y.ts"));
    assert.ok(rules.some(({ pattern }) => pattern.test(line)), line);
  }
});

Deno.test("E4: no file of the program starts another program, but cli/child.ts", () => {
  const starts = /\bDeno\s*(\.|\[\s*["'`])\s*(Command|run|spawn\w*)\b|\bchild_process\b/;
  const program = sources.filter(([file]) =>
    /^(cli\/(?!ship\/)|core-as\/host\/)/.test(file) && !file.endsWith("_test.ts")
  );
  const found = program.filter(([, text]) => starts.test(text.replaceAll(/^\s*(\/?\*|\/\/).*$/gm, "")));
  assert.deepEqual(found.map(([file]) => file), ["cli/child.ts"]);
});

Deno.test("a command leaves to its printers whether it is to be JSON", () => {
  const asking = sources.filter(([file, text]) =>
    /^cli\/commands\/(?!.*_test\.ts$)/.test(file) && /\bconsole\.json\b/.test(text)
  );
  assert.deepEqual(asking.map(([file]) => file), []);
});

Deno.test("a file of cli/commands is a command, or a form of one, and nothing that others need", () => {
  const needed = [...graph].flatMap(([file, imports]) =>
    imports.filter((to) => partOf(file) === "commands" && partOf(to) === "commands").map((to) => ({
      file,
      to,
    }))
  );
  // backup.ts has backup_list.ts: the same command, for a list.
  const wrong = needed.filter(({ file, to }) => !to.startsWith(file.replace(/\.ts$/, "_")));
  assert.deepEqual(wrong, []);
});

Deno.test("no catch is empty", () => {
  const empty = sources.filter(([, text]) => /\bcatch\s*(\([^)]*\)\s*)?\{\s*\}/.test(text));
  assert.deepEqual(empty.map(([file]) => file), []);
});

Deno.test("no file is over 288 KiB", () => {
  assert.deepEqual(files.filter((file) => Deno.statSync(root + file).size > MAX_FILE_BYTES), []);
});

Deno.test("every test file has a test", () => {
  const without = sources.filter(([file, text]) =>
    file.endsWith("_test.ts") && !/\bDeno\.test\(|\btestWithPeers\(/.test(text)
  );
  assert.deepEqual(without.map(([file]) => file), []);
});

const hostModules = files.filter((file) =>
  /^core-as\/host\/.*\.ts$/.test(file) && !file.endsWith("_test.ts")
);

Deno.test("every module of host says that it is browser compatible", () => {
  const silent = hostModules.filter((file) =>
    !/^ \* This module is browser compatible[.;]/m.test(texts.get(file)!)
  );
  assert.deepEqual(silent, []);
});

/** Type-checks files as a browser would have them: the DOM, and nothing of Deno. */
async function checkForBrowser(paths: readonly string[]): Promise<{ success: boolean; said: string }> {
  const folder = await Deno.makeTempDir({ prefix: "regrain_test_" });
  try {
    const { compilerOptions } = JSON.parse(texts.get("deno.json")!);
    const { imports } = JSON.parse(texts.get("core-as/deno.json")!);
    const config = `${folder}/deno.json`;
    const lib = ["dom", "dom.iterable", "esnext"];
    await Deno.writeTextFile(
      config,
      JSON.stringify({ imports: { fflate: imports.fflate }, compilerOptions: { ...compilerOptions, lib } }),
    );
    const args = ["check", "--quiet", "--no-lock", "--config", config, ...paths];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, stdout: "null" }).output();
    return { success, said: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("host type-checks with the types of a browser alone", async () => {
  const { success, said } = await checkForBrowser(hostModules.map((file) => root + file));
  assert.ok(success, said);
});

Deno.test("the check with the types of a browser fails where Deno is used", async () => {
  const { success, said } = await checkForBrowser([root + "core-as/build.ts"]);
  assert.ok(!success);
  assert.match(said, /Deno/);
});

/** What may lie in the root; everything else has a folder. */
const IN_ROOT = [
  ...[".ci", ".git", ".github", ".gitignore"],
  ...["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"],
  ...["changes", "cli", "core-as", "docs", "fixtures", "inspector-web", "test"],
  ...["deno.json", "deno.lock"],
];

Deno.test("nothing lies in the root that has no business there", () => {
  const found = new Set(files.map((file) => file.split("/")[0]!));
  assert.deepEqual([...found].filter((name) => !IN_ROOT.includes(name)), []);
});
