/** Progress by a clock and a terminal that the test holds. */
import assert from "node:assert/strict";
import { GIB, MIB } from "../../core-as/host/mod.ts";
import { Progress, type ProgressMode, type ProgressScreen } from "./progress.ts";
import { progressLine } from "./progress_line.ts";

class FakeScreen implements ProgressScreen {
  nowAtMs = 1000;
  /** What stands on the line of the bar, one entry a drawing. */
  readonly drawn: string[] = [];

  constructor(private readonly width: number, readonly isTerminal = true) {}

  columns(): number {
    return this.width;
  }
  write(text: string): void {
    if (text !== "\r\x1b[K") this.drawn.push(text.replace("\r", "").replace("\x1b[K", ""));
  }
  nowMs(): number {
    return this.nowAtMs;
  }
}

interface Setting {
  readonly columns?: number;
  readonly mode?: ProgressMode;
  readonly isTerminal?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly totalBytes?: number;
}

function start(setting: Setting) {
  const { columns = 80, mode = "auto", isTerminal = true, totalBytes = 2 * GIB } = setting;
  const screen = new FakeScreen(columns, isTerminal);
  const lines: string[] = [];
  const console = {
    err: (line: string) => void lines.push(line),
    quiet: setting.quiet ?? false,
    json: setting.json ?? false,
  };
  return { screen, lines, progress: new Progress(console, mode, totalBytes, screen) };
}

const secondsLeft = (line: string): number | undefined => {
  const found = /, (?:(\d+) min )?([\d.]+) s left/.exec(line);
  return found ? Number(found[1] ?? 0) * 60 + Number(found[2]) : undefined;
};

for (const columns of [80, 40]) {
  Deno.test(`C6: an apply counts bytes of its plan, and its time left is true, at ${columns} columns`, () => {
    // Eleven seconds of 200 MiB each; between them the disk has holes of any size, of which progress hears nothing.
    const seconds = 11;
    const totalBytes = seconds * 200 * MIB;
    const { screen, progress } = start({ columns, totalBytes });
    for (let step = 1; step <= seconds * 10; step++) {
      screen.nowAtMs += 100;
      const doneBytes = step * 20 * MIB;
      progress.update({
        doneBytes,
        parts: { data: doneBytes / 2, zero: doneBytes / 2, skipped: step * 40 * GIB },
      });
      const line = screen.drawn.at(-1)!;
      assert.ok(line.length < columns, `${line.length}: ${line}`);
      assert.match(line, new RegExp(` ${Math.floor(doneBytes / totalBytes * 100)} %`));
      const left = secondsLeft(line);
      if (step < 10) assert.equal(left, undefined, "too early to say");
      else assert.ok(Math.abs(left! - (seconds - step / 10)) < 0.6, `${line} at ${step / 10} s`);
    }
    assert.equal(screen.drawn.length, seconds * 10);
  });
}

Deno.test("C6: the rate is that of the last seconds, so a slow stretch does not haunt the rest", () => {
  const { screen, progress } = start({ totalBytes: 2000 * MIB });
  let doneBytes = 0;
  const work = (seconds: number, bytesPerSecond: number) => {
    for (let step = 0; step < seconds * 10; step++) {
      screen.nowAtMs += 100;
      progress.update({ doneBytes: doneBytes += bytesPerSecond / 10, parts: {} });
    }
    return screen.drawn.at(-1)!;
  };
  assert.equal(secondsLeft(work(60, MIB)), 32 * 60 + 20);
  const line = work(10, 100 * MIB);
  assert.match(line, / 100\.0 MiB\/s/);
  assert.ok(Math.abs(secondsLeft(line)! - 9.4) < 0.2, line);
});

Deno.test("C6: a line drops its least important words first, and never ends in the middle of one", () => {
  const state = { doneBytes: 1.25 * GIB, parts: { data: GIB, zero: 0.25 * GIB, skipped: 700 * GIB } };
  const work = { totalBytes: 5 * GIB, bytesPerSecond: 800 * MIB, leftSeconds: 4.8, bar: true };
  const at = (columns: number) => progressLine(state, { ...work, columns });
  assert.equal(
    at(200),
    "[######..................]  25 % 1.3 GiB of 5.0 GiB, 800.0 MiB/s, 4.8 s left " +
      "(data 1.0 GiB, zero 256.0 MiB, skipped 700.0 GiB)",
  );
  assert.equal(at(79), "[######..................]  25 % 1.3 GiB of 5.0 GiB, 800.0 MiB/s, 4.8 s left");
  assert.equal(at(65), "[##......]  25 % 1.3 GiB of 5.0 GiB, 800.0 MiB/s, 4.8 s left");
  assert.equal(at(50), "[##......]  25 % 1.3 GiB of 5.0 GiB, 4.8 s left");
  assert.equal(at(39), "[##......]  25 %, 4.8 s left");
  assert.equal(at(20), " 25 %, 4.8 s left");
  assert.equal(at(5), " 25 %");
  for (let columns = 5; columns < 200; columns++) assert.ok(at(columns).length <= columns);
});

Deno.test("C6: what an interrupted run did is not work that is left", () => {
  const { screen, progress } = start({ totalBytes: 1000 * MIB });
  progress.reduce(900 * MIB);
  screen.nowAtMs += 2000;
  progress.update({ doneBytes: 50 * MIB, parts: {} });
  assert.match(screen.drawn[0]!, / 50 % 50\.0 MiB of 100\.0 MiB, 25\.0 MiB\/s, 2\.0 s left/);
});

Deno.test("C10: a log gets a line a per cent, one in five seconds at most and one a minute at least", () => {
  const run = (seconds: number, totalBytes: number, bytesPerSecond: number) => {
    const { screen, progress, lines } = start({ isTerminal: false, totalBytes });
    const at: number[] = [];
    for (let step = 1; step <= seconds * 10; step++) {
      screen.nowAtMs += 100;
      const before = lines.length;
      progress.update({ doneBytes: Math.min(totalBytes || Infinity, step * bytesPerSecond / 10), parts: {} });
      if (lines.length > before) at.push(step / 10);
    }
    assert.equal(screen.drawn.length, 0);
    return at;
  };
  assert.deepEqual(run(11, 11 * MIB, MIB), [5, 10], "a short run");
  assert.equal(run(3000, 3000 * MIB, MIB).length, 100, "a line a per cent");
  const long = run(3600, 100 * 3600 * MIB, MIB);
  assert.deepEqual(long.slice(0, 3), [60, 120, 180], "a per cent would take an hour");
  assert.deepEqual(run(185, 0, MIB), [60, 120, 180], "a stream of unknown length");
});

Deno.test("C10: quiet is quiet, and results as JSON come without words of progress", () => {
  for (
    const setting of [{ quiet: true }, { json: true }, { quiet: true, isTerminal: false }, {
      json: true,
      isTerminal: false,
    }]
  ) {
    const { screen, progress, lines } = start(setting);
    for (let i = 1; i < 1000; i++) {
      screen.nowAtMs += 1000;
      progress.update({ doneBytes: i * MIB, parts: {} });
    }
    progress.end();
    assert.deepEqual([...lines, ...screen.drawn], [], JSON.stringify(setting));
  }
  const { screen, progress, lines } = start({ json: true, mode: "json" });
  screen.nowAtMs += 1000;
  progress.update({ doneBytes: MIB, parts: { data: MIB } });
  assert.deepEqual(JSON.parse(lines[0]!), {
    type: "progress",
    doneBytes: MIB,
    totalBytes: 2 * GIB,
    data: MIB,
    bytesPerSecond: MIB,
    secondsLeft: 2047,
  });
});
