/// <reference lib="dom" />
/** What axe-core finds wrong with the page. */
import type { Page } from "playwright-core";

/** Lets answers of the worker come in and be painted. */
export function settle(page: Page): Promise<void> {
  return page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 150)));
}

/** What axe-core finds wrong, each with the places. It stands in a world of its own, which the policy leaves alone. */
export async function violations(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate(() => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    return axe.run(document, { resultTypes: ["violations"] });
  });
  return violations.map(({ id, nodes }) =>
    `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`
  );
}
