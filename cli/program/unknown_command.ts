/** What is meant by words that are no commands here, though they are elsewhere. */
const LISTS = "regrain snapshots lists backups; regrain info FOLDER the disks of a VM";
const MAKES = "regrain backup makes a snapshot of a disk, regrain repo init a repository";
const REMOVES = "regrain forget ID removes a snapshot; regrain prune removes by rules";
const TAKES_BACK = "regrain apply UNDO_FILE TARGET takes back what an apply overwrote";
const COPIES = "regrain repo copy copies snapshots into another repository";
const COLLECTS = "regrain prune removes snapshots by rules, and regrain gc what no snapshot needs any more";
const WRITES_OUT = "regrain restore SNAPSHOT FILE writes a snapshot to a file, - for FILE to a pipe";
const APPLIES = "regrain apply DELTA TARGET writes a delta onto a disk";
const MAKES_RAW = "regrain apply --create DISK.vmdk disk.img makes a raw disk of a VMDK that has no parent";
const SHOWS_FILES =
  "regrain restore SNAPSHOT FILE makes the disk, and guestmount or losetup shows what is in it";
const HAS_NO_LOCKS = "no lock can be left over; regrain repo active shows the backups that run";
const IS_INSTALLED_BY =
  "deno task install in a clone of the new version upgrades, deno task uninstall removes";

const MEANT: Readonly<Record<string, string>> = {
  list: LISTS,
  ls: "regrain snapshots lists backups; regrain info IMAGE shows what is on a disk",
  find: LISTS,
  show: "regrain info IMAGE shows a disk, regrain snapshots the backups",
  status: "regrain snapshots shows the backups, regrain repo active those that run",
  init: "regrain repo init makes a repository",
  create: MAKES,
  new: MAKES,
  snapshot: "regrain backup makes a snapshot of a disk, regrain snapshots lists them",
  version: "regrain --version prints it; with -v also commit, Deno and libraries",
  delete: REMOVES,
  remove: REMOVES,
  rm: REMOVES,
  destroy: REMOVES,
  clean: COLLECTS,
  cleanup: COLLECTS,
  expire: COLLECTS,
  purge: COLLECTS,
  compact: COLLECTS,
  copy: COPIES,
  cp: COPIES,
  clone: COPIES,
  replicate: COPIES,
  key: "regrain repo key changes passphrases",
  passwd: "regrain repo key changes passphrases",
  stats: "regrain repo stats shows what a repository holds",
  du: "regrain repo stats shows what a repository holds",
  unlock: HAS_NO_LOCKS,
  "break-lock": HAS_NO_LOCKS,
  undo: TAKES_BACK,
  rollback: TAKES_BACK,
  revert: TAKES_BACK,
  patch: APPLIES,
  merge: APPLIES,
  commit: APPLIES,
  rebase: APPLIES,
  convert: MAKES_RAW,
  export: WRITES_OUT,
  extract: WRITES_OUT,
  dump: WRITES_OUT,
  cat: WRITES_OUT,
  mount: SHOWS_FILES,
  import: "regrain backup IMAGE --name VM/DISK stores a disk of any format that regrain reads",
  test: "regrain verify sees that snapshots are whole, --restore-test puts them together",
  update: IS_INSTALLED_BY,
  upgrade: IS_INSTALLED_BY,
  "self-update": IS_INSTALLED_BY,
  uninstall: IS_INSTALLED_BY,
};

/**
 * A hint for what commander says of an unknown command, or of a flag that stands before the command; undefined when
 * there is none.
 *
 * @param flags The flags of all commands, with their dashes.
 */
export function meantInstead(message: string, flags: ReadonlySet<string>): string | undefined {
  const [, kind, word] = /^(?:error: )?unknown (command|option) '([^'=]+)/.exec(message) ?? [];
  if (kind === "command") return Object.hasOwn(MEANT, word!) ? MEANT[word!] : undefined;
  if (kind !== "option" || !flags.has(word!)) return undefined;
  return `flags stand behind the command: regrain COMMAND ${word} ...; regrain --version -v says which program this is`;
}
