/** The objects of a repository: in a folder that the page was given, or served by `regrain inspect`. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { ObjectInfo, ObjectReader } from "../../../core-as/host/repo/mod.ts";
import type { Provided, RepositoryPlace, Wanted } from "../../shared/protocol.ts";

/** Asks the page, which alone can look into a folder. */
export type AskPage = (wanted: Wanted) => Promise<Provided>;

/** @param ask Of the page; for what is served nothing is asked. */
export function openObjects(place: RepositoryPlace, ask: AskPage): ObjectReader {
  return "url" in place ? new ServedObjects(place) : new FolderObjects(place, ask);
}

/** A folder that was dropped or chosen. */
class FolderObjects implements ObjectReader {
  readonly label: string;
  private readonly folder: number;

  constructor(place: { readonly label: string; readonly folder: number }, private readonly ask: AskPage) {
    this.label = place.label;
    this.folder = place.folder;
  }

  async get(key: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const [found] = await this.provided({ what: "object", key });
    if (found === undefined) return undefined;
    const { file } = found;
    const path = `${this.label}/${key}`;
    if (file.size > maxBytes) throw tooLarge(path, file.size, maxBytes);
    try {
      return new Uint8Array(await file.arrayBuffer());
    } catch (cause) {
      throw new RegrainError("STORE_FAILED", "the file changed or vanished while it was read", {
        path,
        hint: "open the folder again",
        cause,
      });
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const [found] = await this.provided({ what: "object", key });
    return found && { key, sizeBytes: found.file.size, modifiedMs: found.file.lastModified };
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    for (const { key, file } of await this.provided({ what: "list", key: prefix })) {
      yield { key, sizeBytes: file.size, modifiedMs: file.lastModified };
    }
  }

  private async provided(wanted: Omit<Wanted, "folder">) {
    const provided = await this.ask({ ...wanted, folder: this.folder });
    if (!("reason" in provided)) return provided;
    throw new RegrainError("STORE_FAILED", provided.reason, {
      path: this.label,
      hint: "open the folder again; is it still there?",
    });
  }
}

/** Behind `regrain inspect`. */
class ServedObjects implements ObjectReader {
  readonly label: string;
  private readonly url: string;

  constructor(place: { readonly label: string; readonly url: string }) {
    this.label = place.label;
    this.url = place.url;
  }

  async get(key: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const answer = await this.request(`object/${key}`);
    if (answer === undefined) return undefined;
    const bytes = await this.bodyOf(key, answer);
    if (bytes.length > maxBytes) throw tooLarge(`${this.label}/${key}`, bytes.length, maxBytes);
    return bytes;
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    for await (const info of this.list(key)) if (info.key === key) return info;
    return undefined;
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    const answer = await this.request(`list/${prefix}`);
    if (answer === undefined) return;
    const bytes = await this.bodyOf(prefix, answer);
    yield* JSON.parse(new TextDecoder().decode(bytes)) as ObjectInfo[];
  }

  /** `undefined` where there is nothing. */
  private async request(path: string): Promise<Response | undefined> {
    let answer: Response;
    try {
      answer = await fetch(this.url + path, { cache: "no-store" });
    } catch (cause) {
      throw this.silent(path, cause);
    }
    if (answer.ok) return answer;
    const reason = (await answer.text()).trim();
    if (answer.status === 404) return undefined;
    throw new RegrainError("STORE_FAILED", reason || `the server answered ${answer.status}`, {
      path: `${this.label}/${path}`,
    });
  }

  private async bodyOf(key: string, answer: Response): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return new Uint8Array(await answer.arrayBuffer());
    } catch (cause) {
      throw this.silent(key, cause);
    }
  }

  private silent(key: string, cause: unknown): RegrainError {
    return new RegrainError("STORE_FAILED", "the server does not answer: has regrain inspect ended?", {
      path: `${this.label}/${key}`,
      cause,
    });
  }
}

function tooLarge(path: string, sizeBytes: number, maxBytes: number): RegrainError {
  return new RegrainError("LIMIT_EXCEEDED", `has ${sizeBytes} bytes, and ${maxBytes} at most are due`, {
    path,
  });
}
