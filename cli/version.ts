/** Version of the program: `deno task release` writes it here, and `CHANGELOG.md` says what it brought. */
export const VERSION = "0.1.0";
/** Its day, as the manual page shows it. */
export const VERSION_DATE = "2026-11-21";
/** The oldest Deno that runs it. */
export const LEAST_DENO = "2.9.6";
