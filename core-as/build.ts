/**
 * Compiles the kernels: `deno task build`. The result is deterministic; a test compares it with the committed file.
 */
import asc from "assemblyscript/asc";

const here = new URL(".", import.meta.url).pathname;

/** Compiles `assembly/index.ts` and returns the module's bytes. */
export async function compileCore(): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "regrain-core-" });
  try {
    const { error, stderr } = await asc.main([
      "assembly/index.ts",
      ...["--baseDir", here, "--outFile", `${folder}/core.wasm`],
      ...["--runtime", "stub", "--optimizeLevel", "3", "--shrinkLevel", "0", "--converge", "--noAssert"],
      ...["--enable", "simd", "--use", "abort=", "--initialMemory", "720", "--maximumMemory", "720"],
    ], {
      readFile: (name, base) => readOrNull(`${base}/${name}`),
      writeFile: (name, contents) => Deno.writeFileSync(name, bytesOf(contents)),
      listFiles: () => [],
    });
    if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
    return await Deno.readFile(`${folder}/core.wasm`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function bytesOf(contents: string | Uint8Array): Uint8Array {
  return typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
}

/** The compiler asks for files that may not exist; null is its word for that. */
function readOrNull(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.IsADirectory) return null;
    throw error;
  }
}

if (import.meta.main) {
  const bytes = await compileCore();
  await Deno.writeFile(`${here}core.wasm`, bytes);
  console.error(`core-as/core.wasm: ${bytes.length} bytes`);
}
