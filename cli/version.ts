/** Version of the program; `CHANGELOG.md` says what it brought. */
export const VERSION = "0.1.0";
