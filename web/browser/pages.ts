/** Opens a page from the disk with the network denied, and hears everything that it does. */

import { fileURLToPath } from "node:url";
import { expect, type Page } from "@playwright/test";
import AxeBuilder from "@axe-core/playwright";

const FOLDER = new URL("../test-results/pages/", import.meta.url);

export interface Heard {
  readonly requests: string[];
  readonly errors: string[];
}

export async function opened(page: Page, name: string, link = "", theme: "light" | "dark" = "light"): Promise<Heard> {
  const heard: Heard = { requests: [], errors: [] };
  page.on("request", (request) => request.url().startsWith("data:") || heard.requests.push(request.url()));
  page.on("pageerror", (error) => heard.errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && heard.errors.push(message.text()));
  await page.emulateMedia({ colorScheme: theme });
  await page.context().setOffline(true);
  await page.goto(`file://${fileURLToPath(new URL(`${name}.html`, FOLDER))}${link && `#${link}`}`);
  await expect(page.getByRole("main")).toBeVisible();
  return heard;
}

/** What axe finds. */
export async function flaws(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join("; ")}`);
}
