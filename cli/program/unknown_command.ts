/** What is meant by words that are no commands here, though they are elsewhere. */
const MEANT: Readonly<Record<string, string>> = {
  list: "regrain snapshots lists backups; regrain info FOLDER the disks of a VM",
  ls: "regrain snapshots lists backups; regrain info IMAGE shows what is on a disk",
  show: "regrain info IMAGE shows a disk, regrain snapshots the backups",
  init: "regrain repo init makes a repository",
  version: "regrain --version prints it; with -v also commit, Deno and libraries",
  delete: "regrain forget ID removes a snapshot; regrain prune removes by rules",
  remove: "regrain forget ID removes a snapshot; regrain prune removes by rules",
  copy: "regrain repo copy copies snapshots into another repository",
  key: "regrain repo key changes passphrases",
  stats: "regrain repo stats shows what a repository holds",
  undo: "regrain apply UNDO_FILE TARGET takes back what an apply overwrote",
  patch: "regrain apply DELTA TARGET writes a delta onto a disk",
};

/** A hint for what commander says of an unknown command; undefined when there is none. */
export function meantInstead(message: string): string | undefined {
  const [, word] = /^(?:error: )?unknown command '(\w+)'/.exec(message) ?? [];
  return word === undefined || !Object.hasOwn(MEANT, word) ? undefined : MEANT[word];
}
