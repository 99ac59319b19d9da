/**
 * What the page and its worker say to each other. The worker owns the files, the kernels and the pyramid; the page
 * paints. Every request has a number, and its answer carries the same; what the worker tells on its own is a `Notice`.
 *
 * Sizes and offsets of the disk are sectors where the name says so, bytes otherwise.
 */
export * from "./answers.ts";
export * from "./disk_facts.ts";
export * from "./judgement_facts.ts";
export * from "./notices.ts";
export * from "./progress.ts";
export * from "./repository_facts.ts";
export * from "./requests.ts";
