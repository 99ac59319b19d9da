/** Every exit status with its meaning: the help, the manual page and docs/commands.md show it. */
export const EXIT_STATUS: readonly (readonly [status: number, meaning: string])[] = [
  [0, "done, or equal"],
  [1, "damage or differences"],
  [2, "usage, or a target that cannot be one"],
  [3, "finished, incomplete"],
  [4, "input not a disk, unsupported or corrupt"],
  [5, "wrong base: CID, size or chain"],
  [6, "i/o: read, write, no space, permission"],
  [7, "remote"],
  [10, "no repository there"],
  [12, "wrong or missing passphrase, or not the repository that was meant"],
  [70, "a bug in regrain"],
  [129, "stopped by SIGHUP (the terminal or ssh session is gone)"],
  [130, "stopped by SIGINT (Ctrl-C)"],
  [143, "stopped by SIGTERM"],
];
