/** What content a store lists, and which of it cannot be whole. */
import {
  type ContentKind,
  LEAST_SEALED_BYTES,
  parseContentKey,
  type RepositoryReader,
} from "../../core-as/host/repo/mod.ts";
import { IdTable } from "./id_table.ts";

/** True for an object that is too short to hold anything: a full disk, or a power loss, left it so. */
export function isCut(sizeBytes: number): boolean {
  return sizeBytes < LEAST_SEALED_BYTES;
}

/**
 * Every piece of content of one kind that the store lists, with its size.
 *
 * @param holds Which sizes count; all of them by default.
 */
export async function listContent(
  repository: RepositoryReader,
  kind: ContentKind,
  { holds = () => true }: { holds?: (sizeBytes: number) => boolean } = {},
): Promise<IdTable> {
  const table = new IdTable();
  for await (const { key, sizeBytes } of repository.store.list(`${kind}/`)) {
    const name = parseContentKey(key);
    if (name !== undefined && holds(sizeBytes)) table.setNamed(name, sizeBytes);
  }
  return table;
}
