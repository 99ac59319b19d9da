/** Keys of objects as every store takes them. */

const KEY = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;
const MAX_KEY_CHARACTERS = 512;
/** Keys that others have made: anything that does not lead out of a folder. */
const FOREIGN_KEY = /^(?!\.{0,2}(?:\/|$))[^/\\\0]+(?:\/(?!\.{0,2}(?:\/|$))[^/\\\0]+)*$/;
const MAX_FOREIGN_KEY_CHARACTERS = 1024;

export function isKey(text: string): boolean {
  return text.length <= MAX_KEY_CHARACTERS && KEY.test(text);
}

/** True for a key that is safe to read, in a store that another program filled. */
export function isForeignKey(text: string): boolean {
  return text.length <= MAX_FOREIGN_KEY_CHARACTERS && FOREIGN_KEY.test(text);
}

/**
 * Which keys a store takes.
 *
 * @param foreign Reads what another program put there.
 */
export function keyRule(foreign: boolean | undefined): (text: string) => boolean {
  return foreign ? isForeignKey : isKey;
}

/** Refuses a key that might lead out of its store; only a mistake of ours makes one. */
export function checkKey(key: string, rule: (text: string) => boolean = isKey): void {
  if (rule(key)) return;
  throw new Error(`${JSON.stringify(key)} is no key of an object`);
}
