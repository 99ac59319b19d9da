/** What commands on a repository do around their work: the console, the open repository, and both ended well. */
import type { Repository } from "../backup/repository.ts";
import { Console } from "../ui/mod.ts";
import { openRepository, type RepoFlags } from "./open_repository.ts";

export interface OnRepository {
  readonly repository: Repository;
  readonly console: Console;
}

/** Opens the repository, and closes it when the work has ended, well or not. @returns what the work does. */
export async function onRepository(
  flags: RepoFlags,
  work: (on: OnRepository) => Promise<number>,
  console = new Console(flags),
): Promise<number> {
  const repository = await openRepository(flags);
  try {
    return await work({ repository, console });
  } finally {
    repository.close();
    console.flush();
  }
}
