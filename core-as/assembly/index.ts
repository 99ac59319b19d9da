/** The ABI of core.wasm: pointers, u32 and f64 only. Sectors are f64, so that no BigInt crosses the boundary. */
export { region } from "./arena";
export { closeList, openList, pushRun } from "./runs";
export { clearDamage, damageCount } from "./damage";
export { decodeTable32 } from "./table32";
export { decodeTableSe } from "./sesparse";
export { overlay } from "./overlay";
export { tallyRuns } from "./tally";
export { seenClaim, seenOpen, seenRuns, seenSectors } from "./seen";
export { isZero, splitZeros } from "./zero";
export { diffCount, diffSpans } from "./diff";
