/** QEMU with an image open, as that of a running machine. */

/** Runs qemu-io on an image, and `fn` once its first answer shows that the image is open. */
export async function withQemuHolding(path: string, fn: () => void | Promise<void>): Promise<void> {
  const qemu = new Deno.Command("qemu-io", {
    args: ["-f", "raw", path],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const input = qemu.stdin.getWriter();
  const output = qemu.stdout.getReader();
  try {
    await input.write(new TextEncoder().encode("read 0 512\n"));
    const decoder = new TextDecoder();
    let answer = "";
    while (!answer.includes("read 512/512")) {
      const { value, done } = await output.read();
      if (done) throw new Error(`qemu-io ended: ${answer}`);
      answer += decoder.decode(value, { stream: true });
    }
    await fn();
  } finally {
    await input.close();
    await output.cancel();
    await qemu.status;
  }
}
