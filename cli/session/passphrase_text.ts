/** The text of a passphrase, out of the bytes of a file or of a command. */
import { quoteWord, RegrainError } from "../../core-as/host/mod.ts";

const BACKSLASH_BYTES = "s/[\\x80-\\xff]/\\xef\\xbf\\xbd/g";

/**
 * The passphrase without its line end, and without the mark that editors put before UTF-8.
 *
 * What is not UTF-8 is refused: all bytes that cannot be read would become one and the same character, and so would
 * all passphrases that differ in these alone.
 *
 * @param path What is told where it is refused: a file, or a command.
 * @param bytesOf A command that writes these bytes, for the hint.
 * @throws {RegrainError} `REPO_KEY`.
 */
export function passphraseText(bytes: Uint8Array, from: { path: string; bytesOf: string }): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const before = `${from.bytesOf} | LC_ALL=C sed '${BACKSLASH_BYTES}'`;
    throw new RegrainError(
      "REPO_KEY",
      "the passphrase is not UTF-8 text, and others would open as well as it",
      {
        path: from.path,
        cause,
        hint:
          "write it as UTF-8 (iconv -f LATIN1 -t UTF-8, or UTF-16); a repository that an older version made with it " +
          `opens with --passphrase-command ${
            quoteWord(before)
          }, and then wants another one: regrain repo key add`,
      },
    );
  }
}
