import { expect, test } from "@playwright/test";
import { flaws } from "./pages";

test("an example is chosen, opened, and asked of its own server alone", async ({ page, baseURL }) => {
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.goto("");
  await expect(page.getByText("Nothing is open yet")).toBeVisible();
  await page.getByRole("combobox", { name: "look into" }).selectOption({ label: "hello: a word spelled by three units, trained" });
  await page.getByRole("button", { name: "Open" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("hello, trained");
  await expect(page.locator("summary", { hasText: "✓ adds up" })).toBeVisible();
  expect(requests.filter((url) => !url.startsWith(baseURL!) && !url.startsWith("data:"))).toEqual([]);
  expect(await flaws(page)).toEqual([]);
});

test("a refusal is shown in words", async ({ page }) => {
  await page.route("**/api/trace", (route) => route.fulfill({ status: 422, contentType: "application/json", body: JSON.stringify({ refused: "It must be a text." }) }));
  await page.goto("");
  await page.getByRole("button", { name: "Open" }).click();
  await expect(page.getByRole("alert")).toHaveText("It must be a text.");
});

test("without its token the server says how to get in", async ({ page, baseURL }) => {
  const answer = await page.goto(new URL("/", baseURL).href);
  expect(answer!.status()).toBe(403);
  expect(await answer!.text()).toContain("The link lacks its token");
});

test("the module shows itself in a bare page, as a notebook would ask it to", async ({ page, baseURL }) => {
  await page.goto("explorer.js");
  await page.goto("");
  await page.evaluate(async (home) => {
    const bytes = new Uint8Array(await (await fetch("api/trace", { method: "POST", body: JSON.stringify({ name: "example hello", text: "" }) })).arrayBuffer());
    const [about, weights] = [0, 4].map((at) => new DataView(bytes.buffer).getUint32(at, true)) as [number, number];
    const trace = new DataView(bytes.buffer, 12 + about + weights);
    const held: Record<string, unknown> = { trace, about: "", view: "s=units&u=1", weights: null };
    const model = { get: (name: string) => held[name], set: (name: string, value: unknown) => (held[name] = value), save_changes() {}, on() {}, off() {} };
    const module = (await import(`${home}explorer.js`)) as { default: { render(given: object): () => void } };
    const el = document.createElement("div");
    el.id = "cell";
    const outside = document.createElement("button");
    outside.id = "outside";
    document.body.replaceChildren(outside, el);
    Object.assign(window, { held, leave: module.default.render({ model, el }) });
  }, baseURL!);
  const cell = page.locator("#cell");
  await expect(cell.getByRole("heading", { name: "One unit over the input" })).toBeVisible();
  await cell.getByRole("button", { name: "Unrolled" }).click();
  await expect.poll(() => page.evaluate(() => (window as unknown as { held: { view: string } }).held.view)).toContain("s=unrolled");
  // Outside its focus, a notebook's keys are the notebook's.
  await page.locator("#outside").press("3");
  await expect(cell.getByRole("heading", { name: "The network unrolled" })).toBeVisible();
  await cell.getByRole("button", { name: "Unrolled" }).press("3");
  await expect(cell.getByRole("heading", { name: "One unit over the input" })).toBeVisible();
  await page.evaluate(() => (window as unknown as { leave(): void }).leave());
  await expect(cell.getByRole("main")).toHaveCount(0);
});
