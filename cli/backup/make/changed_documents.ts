/** JSON as lists of changes are handed over: in any capitals, and several documents one after the other. */
import { RegrainError } from "../../../core-as/host/mod.ts";

/** What a shell writes: UTF-8, or the UTF-16 of PowerShell's `>`. */
export function decodeList(bytes: Uint8Array): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return new TextDecoder(isUtf16 ? "utf-16le" : "utf-8").decode(bytes);
}

/**
 * Every value in a text that holds one JSON document or several, such as the answers that a loop wrote into one file.
 *
 * @throws {RegrainError} `DESCRIPTOR_INVALID`.
 */
export function parseDocuments(text: string, path: string): unknown[] {
  const documents: unknown[] = [];
  let at = 0;
  try {
    for (let start = nextValue(text, at); start !== undefined; start = nextValue(text, at)) {
      at = endOfValue(text, start);
      documents.push(JSON.parse(text.slice(start, at)));
    }
  } catch (cause) {
    throw new RegrainError("DESCRIPTOR_INVALID", "is no JSON document", { path, cause });
  }
  if (documents.length > 0) return documents;
  throw new RegrainError("DESCRIPTOR_INVALID", "is empty, and no JSON document", { path });
}

function nextValue(text: string, from: number): number | undefined {
  const visible = /\S/g;
  visible.lastIndex = from;
  return visible.exec(text)?.index;
}

/** The end of the object or list that begins at an offset; of anything else the end of the text. */
function endOfValue(text: string, start: number): number {
  const marks = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]/gs;
  marks.lastIndex = start;
  let depth = 0;
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    if (mark[0].startsWith('"')) continue;
    depth += mark[0] === "{" || mark[0] === "[" ? 1 : -1;
    if (depth <= 0) return marks.lastIndex;
  }
  return text.length;
}

/** An object whose members are asked for by their names in lower case: PowerCLI writes `ChangedArea`. */
export class Members {
  private constructor(private readonly values: ReadonlyMap<string, unknown>) {}

  /** `undefined` when the value is no object. @throws {RegrainError} when two names differ in capitals alone. */
  static of(value: unknown, path: string): Members | undefined {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const values = new Map<string, unknown>();
    for (const [name, member] of Object.entries(value)) {
      const lower = name.toLowerCase();
      if (values.has(lower)) {
        const message = `has "${name}" twice, in different capitals`;
        throw new RegrainError("DESCRIPTOR_INVALID", message, { path });
      }
      values.set(lower, member);
    }
    return new Members(values);
  }

  /** @param name In lower case. @returns `undefined` for null too. */
  get(name: string): unknown {
    return this.values.get(name) ?? undefined;
  }

  has(name: string): boolean {
    return this.values.has(name);
  }
}
