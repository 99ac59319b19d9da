/** Version of the program; `CHANGELOG.md` says what it brought. */
export const VERSION = "0.1.0";
/** Its day, as the manual page shows it. */
export const VERSION_DATE = "2026-11-21";
