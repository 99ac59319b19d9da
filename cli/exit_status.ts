/** Exit statuses: those that a command gives itself; the others are those of errors (core-as/host/errors.ts). */
export const EXIT_DAMAGE = 1;
export const EXIT_DIFFERENT = 1;
export const EXIT_USAGE = 2;
export const EXIT_INCOMPLETE = 3;
export const EXIT_BUG = 70;
/** From here on the status says which signal ended the run. */
export const FIRST_OF_SIGNALS = 128;

/** Every exit status with its meaning: the help, the manual page and docs/commands.md show it. */
export const EXIT_STATUS: readonly (readonly [status: number, meaning: string])[] = [
  [0, "done, or equal"],
  [EXIT_DAMAGE, "damage or differences"],
  [EXIT_USAGE, "usage, or a target that cannot be one"],
  [EXIT_INCOMPLETE, "finished, incomplete"],
  [4, "input not a disk, unsupported or corrupt"],
  [5, "wrong base: CID, size or chain"],
  [6, "i/o: read, write, no space, permission"],
  [7, "remote"],
  [10, "no repository there"],
  [12, "wrong or missing passphrase, or not the repository that was meant"],
  [EXIT_BUG, "a bug in regrain"],
  [129, "stopped by SIGHUP (the terminal or ssh session is gone)"],
  [130, "stopped by SIGINT (Ctrl-C)"],
  [143, "stopped by SIGTERM"],
];
