/**
 * Fields of the JSON documents of a repository, checked one by one: everything read is hostile.
 *
 * This module is browser compatible.
 */
import { type ErrorCode, RegrainError } from "../errors.ts";

/** A JSON object whose fields are asked for by type; what is not as it must be is an error that names it. */
export class Fields {
  constructor(
    private readonly record: Readonly<Record<string, unknown>>,
    private readonly about: { readonly path: string; readonly code: ErrorCode },
  ) {}

  /**
   * @param bytes A JSON document whose outermost value is an object.
   * @throws {RegrainError} `code` when it is none.
   */
  static parse(bytes: Uint8Array, about: { path: string; code: ErrorCode }): Fields {
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new RegrainError(about.code, "is no JSON document", { path: about.path, cause });
    }
    return new Fields(recordOf(value, { ...about, name: "the document" }), about);
  }

  text(name: string, pattern?: RegExp): string {
    const value = this.record[name];
    if (typeof value === "string" && (pattern === undefined || pattern.test(value))) return value;
    return this.fail(name, pattern === undefined ? "a text" : `a text like ${pattern.source}`);
  }

  /** A whole number in the bounds, both included. */
  count(name: string, bounds: { least?: number; most?: number } = {}): number {
    const value = this.record[name];
    const { least = 0, most = Number.MAX_SAFE_INTEGER } = bounds;
    if (Number.isSafeInteger(value) && value as number >= least && value as number <= most) {
      return value as number;
    }
    return this.fail(name, `a whole number from ${least} to ${most}`);
  }

  texts(name: string): string[] {
    const value = this.record[name];
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
    return this.fail(name, "a list of texts");
  }

  list(name: string): unknown[] {
    const value = this.record[name];
    return Array.isArray(value) ? value : this.fail(name, "a list");
  }

  object(name: string): Fields {
    return new Fields(recordOf(this.record[name], { ...this.about, name }), this.about);
  }

  /** `read` of the field, or `undefined` when it is absent or null. */
  optional<T>(name: string, read: (fields: this, name: string) => T): T | undefined {
    const value = this.record[name];
    return value === undefined || value === null ? undefined : read(this, name);
  }

  /** Names of all fields there are. */
  names(): string[] {
    return Object.keys(this.record);
  }

  has(name: string): boolean {
    return this.record[name] !== undefined && this.record[name] !== null;
  }

  fail(name: string, expected: string): never {
    const { path, code } = this.about;
    const found = JSON.stringify(this.record[name]) ?? "nothing";
    throw new RegrainError(code, `"${name}" is ${found.slice(0, 60)}, and ${expected} is due`, { path });
  }
}

function recordOf(
  value: unknown,
  about: { path: string; code: ErrorCode; name: string },
): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new RegrainError(about.code, `${about.name} is no JSON object`, { path: about.path });
}
