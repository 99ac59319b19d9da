/**
 * Everything that turns results into words and pictures. Only commands, what they work with and what they report,
 * and `main.ts` may import it.
 */
export * from "./console.ts";
export * from "./heat_map.ts";
export * from "./progress.ts";
export * from "./progress_line.ts";
export * from "./table.ts";
