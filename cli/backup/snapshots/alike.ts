/** Names of disks that somebody may have meant who named another one. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { Repository } from "../repository.ts";

/** Each costs the reading of a manifest. */
const MOST_DISKS = 100;
const MOST_NAMED = 4;
const MOST_EDITS = 2;

/** What a hint begins with: the disks that are called alike, or are those of a VM of that name; else nothing. */
export async function meantInstead(repository: Repository, name: string): Promise<string> {
  const asked = name.replace(/@.*$/, "");
  const names = await namesOfDisks(repository);
  const below = names.filter((each) => each.startsWith(`${asked}/`));
  if (below.length > 0) {
    return `${listed(below)} ${below.length === 1 ? "is a disk" : "are disks"} below it; `;
  }
  if (names.includes(asked)) return `the disk is ${asked}, without what stands behind the @; `;
  const alike = names.filter((each) => isAlike(each, asked));
  return alike.length === 0 ? "" : `is it ${listed(alike)}? `;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMED).join(", ");
  return names.length > MOST_NAMED ? `${shown} and ${names.length - MOST_NAMED} more` : shown;
}

/** The names stand in manifests only; where there are very many disks, nobody is kept waiting for them. */
async function namesOfDisks(repository: Repository): Promise<string[]> {
  const newest = new Map((await repository.listSnapshots()).map((each) => [each.source, each]));
  if (newest.size > MOST_DISKS) return [];
  const names = await Promise.all([...newest.values()].map(async (each) => {
    try {
      return (await repository.readSnapshot(each))?.source.name;
    } catch (error) {
      // One that cannot be read keeps its name to itself.
      if (error instanceof RegrainError) return undefined;
      throw error;
    }
  }));
  return names.filter((each) => each !== undefined).sort();
}

function isAlike(name: string, asked: string): boolean {
  const [a, b] = [plain(name), plain(asked)];
  return a === b || plain(name.replace(/^.*\//, "")) === b ||
    edits(a, b) <= Math.min(MOST_EDITS, b.length / 4);
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/** How many letters have to be put in, left out or changed. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
