/** How names of figures are written where camel case is not. */

/** `readBytes` as `read_bytes`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
