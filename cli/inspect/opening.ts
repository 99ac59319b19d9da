/** Starting the browser, with a page that leads to the address. */
import { isForbidden } from "../deno_errors.ts";
import { openBrowser } from "./browser.ts";
import { type OpeningPage, writeOpeningPage } from "./opening_page.ts";

/** The page that the browser is started with, for as long as it is needed. */
export class Opening implements Disposable {
  #page: OpeningPage | undefined;

  /** @param onFailure Told in a few words why that did not work, now or later. */
  start(address: string, onFailure: (reason: string) => void): void {
    try {
      this.#page = writeOpeningPage(address);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return onFailure(
        isForbidden(error)
          ? "Deno was not told to allow to write where temporary files go (grant --allow-write=/tmp)"
          : `there is no place for a temporary file: ${error.message}`,
      );
    }
    openBrowser(this.#page.url, onFailure);
  }

  [Symbol.dispose](): void {
    this.#page?.[Symbol.dispose]();
    this.#page = undefined;
  }
}
