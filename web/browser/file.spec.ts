import { expect, test } from "@playwright/test";
import { flaws, opened } from "./pages";

const SCREENS = ["unrolled", "gradient", "units", "live"];
const TRACES = ["text", "lstm-stacked", "lstm-both-directions", "lstm-projected", "gru-ragged", "gru-reset-before", "gru-window", "rnn-relu", "long"];
const LACKING = ["states-alone", "gru-some-units"];

for (const name of [...TRACES, ...LACKING]) {
  test(`${name}: every screen, both ways, asks nobody and adds up`, async ({ page }) => {
    const heard = await opened(page, name);
    for (const screen of SCREENS) {
      await page.keyboard.press(String(SCREENS.indexOf(screen) + 1));
      await page.keyboard.press("b");
      await page.keyboard.press("f");
      await expect(page.getByRole("main").getByRole("heading", { level: 2 }).first()).toBeVisible();
    }
    await expect(page.locator("summary", { hasText: TRACES.includes(name) ? "✓ adds up" : /adds up|nothing/ })).toBeVisible({ timeout: 20_000 });
    expect(heard.errors).toEqual([]);
    expect(heard.requests).toHaveLength(1);
  });
}

for (const theme of ["light", "dark"] as const) {
  for (const screen of SCREENS) {
    for (const name of ["text", "lstm-both-directions"]) {
      test(`${screen} of ${name}, ${theme}, without a finding of axe`, async ({ page }) => {
        await opened(page, name, `s=${screen}&t=2&mode=back`, theme);
        await page.waitForTimeout(300);
        expect(await flaws(page)).toEqual([]);
      });
    }
  }
  test(`help, table and sums, ${theme}, without a finding of axe`, async ({ page }) => {
    await opened(page, "text", "s=unrolled", theme);
    await page.keyboard.press("?");
    await page.getByRole("button", { name: "Table" }).first().click();
    await page.locator(".sums summary").click();
    expect(await flaws(page)).toEqual([]);
  });
}

test("on a narrow screen nothing stands out", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 800 });
  await opened(page, "text");
  for (const key of ["1", "2", "3", "4"]) {
    await page.keyboard.press(key);
    await page.waitForTimeout(150);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  }
});

test("a number leads to its cause, click by click, and back", async ({ page }) => {
  await opened(page, "lstm-stacked", "s=unrolled&t=3&l=1&u=2");
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await expect(inspector).toContainText("l1 h₂(3)");
  for (const next of ["l1 o₂(3)", "l1 h₀(2)", "l1 o₀(2)", "l1 x₁(2)", "l0 h₁(2)"]) {
    await inspector.getByRole("list").first().getByRole("button", { name: next }).first().click();
    await expect(inspector.locator(".sign")).toHaveText(next);
    await expect(inspector).toContainText(next.includes("x") ? "the output of the layer below" : "✓ the terms give the recorded number");
  }
  await inspector.getByRole("button", { name: "Back to the number before" }).click();
  await expect(inspector.locator(".sign")).toHaveText("l1 x₁(2)");
  await inspector.getByRole("button", { name: /Its gradient/ }).click();
  await expect(inspector.locator(".sign")).toHaveText("l1 ∂L/∂x₁(2)");
});

test("a journey by keyboard alone", async ({ page }) => {
  await opened(page, "text", "s=unrolled&u=3");
  const slider = page.getByRole("slider", { name: "Step" });
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  await expect(slider).toHaveValue("11");
  await page.keyboard.press("End");
  await expect(slider).toHaveValue(String(await slider.getAttribute("max")));
  await page.keyboard.press("Home");
  await expect(slider).toHaveValue("0");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  const sign = page.getByRole("complementary", { name: "Inspector" }).locator(".sign");
  await expect(sign).toHaveText("h₃(1)");
  await page.keyboard.press("b");
  await expect(page.getByRole("button", { name: "Backward", exact: true })).toHaveAttribute("aria-pressed", "true");
  await page.keyboard.press("Escape");
  await expect(sign).toHaveText("∂L/∂h₃(1)");
  // Every control is reached by Tab, and a term of the formula pressed by Enter.
  await page.keyboard.press("f");
  const reached: string[] = [];
  for (let k = 0; k < 60 && !reached.includes("o₃(1)"); k++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => {
      let at = document.activeElement;
      while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
      return at?.getAttribute("aria-label")?.split(" = ")[0] ?? at?.textContent?.trim() ?? "";
    }));
  }
  expect(reached.join("|")).toMatch(/Forward\|Backward/);
  await expect(page.locator("[role=status]").last()).not.toBeEmpty();
});

test("what is in view is in the link", async ({ page }) => {
  await opened(page, "text", "s=units&t=5&u=7&theme=dark");
  await expect(page.getByRole("spinbutton", { name: "unit" })).toHaveValue("7");
  await page.keyboard.press("2");
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => page.url()).toContain("s=gradient");
  expect(page.url()).toMatch(/t=6/);
  expect(page.url()).toContain("theme=dark");
});

test("text with markup is shown and never run", async ({ page }) => {
  let alerted = false;
  page.on("dialog", (dialog) => {
    alerted = true;
    void dialog.dismiss();
  });
  const heard = await opened(page, "hostile");
  for (const key of ["1", "2", "3", "4"]) await page.keyboard.press(key);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("<script>");
  expect(await page.locator("img").count()).toBe(0);
  expect(alerted).toBe(false);
  expect(heard.errors).toEqual([]);
});

test("a link that is wrong does no harm", async ({ page }) => {
  const heard = await opened(page, "lstm-stacked", "s=nothing&t=99&l=-4&u=9999&b=7&k=%3Cimg%3E.0.0.0&q=zz&loss=1e9");
  await expect(page.getByRole("slider", { name: "Step" })).toHaveValue("5");
  expect(heard.errors).toEqual([]);
});

test("a view is saved as SVG, PNG and CSV", async ({ page }) => {
  await opened(page, "text", "s=unrolled&t=2");
  for (const [kind, begins] of [["SVG", "<svg"], ["PNG", "\x89PNG"], ["CSV", "step,name"]] as const) {
    await page.locator(".save summary").first().click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: kind }).first().click()]);
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString("latin1").startsWith(begins)).toBe(true);
    expect(Buffer.concat(chunks).length).toBeGreaterThan(400);
    await page.locator(".save summary").first().click();
  }
});

test("the report is there on demand, on paper, and where no scripts run", async ({ page, browser }) => {
  await opened(page, "text");
  const report = page.locator("#unrolled-report");
  await expect(report).toBeHidden();
  await page.getByRole("button", { name: "Report" }).click();
  await expect(report).toBeVisible();
  await page.getByRole("button", { name: "Report" }).click();
  await page.emulateMedia({ media: "print" });
  await expect(report).toBeVisible();
  const still = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await still.goto(page.url());
  await expect(still.locator("#unrolled-report h1").first()).toBeVisible();
});

test("what if the recurrent weights were smaller: less comes back", async ({ page }) => {
  await opened(page, "text", "s=gradient");
  const slider = page.getByRole("slider", { name: /What if/ });
  await slider.focus();
  for (let k = 0; k < 6; k++) await page.keyboard.press("ArrowLeft");
  await expect(page.getByText("× 0.70").first()).toBeVisible();
  await expect(page.locator("path.scaled")).toBeVisible();
});

test("the model in the page reads what is typed, and is poked", async ({ page }) => {
  await opened(page, "text", "s=live&u=2");
  await expect(page.getByText(/gives the recorded outputs ✓/)).toBeVisible();
  const text = page.getByRole("textbox", { name: "Text that the model reads" });
  const first = page.locator(".futures ol").first();
  await text.fill("the sea, ");
  const before = await first.textContent();
  await page.getByRole("button", { name: "Remember this text" }).click();
  await text.press("End");
  await text.press("t");
  await expect(text).toHaveValue("the sea, t");
  await expect(first).not.toHaveText(before!);
  await expect(page.locator(".futures > div")).toHaveCount(2);
  await page.getByRole("button", { name: "Take one back" }).click();
  await expect(first).toHaveText(before!);
  await page.getByRole("button", { name: "Set it here" }).click();
  await expect(first).not.toHaveText(before!);
  await page.getByRole("button", { name: "Let it be" }).click();
  await expect(first).toHaveText(before!);
  await page.getByRole("button", { name: "Hold to write" }).press("Enter");
  await expect(text).toHaveValue(/^the sea, .$/s);
});
