/** The way out of the fields beside the bytes. */

/**
 * Escape leaves a form of the bytes: the rows have the focus again, and letters are keys.
 *
 * @returns True when that was the key.
 */
export function leaveField(event: KeyboardEvent): boolean {
  if (event.key !== "Escape" || event.isComposing) return false;
  event.preventDefault();
  document.querySelector<HTMLElement>("[data-testid=hex]")?.focus();
  return true;
}
