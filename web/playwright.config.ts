import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

const browsers = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
const browser = process.env["CHROMIUM_BIN"] ?? browsers.find(existsSync);
const port = 8765;

export default defineConfig({
  testDir: "browser",
  outputDir: "test-results/runs",
  timeout: 60_000,
  workers: 1,
  reporter: "line",
  use: {
    baseURL: `http://127.0.0.1:${port}/token-of-the-tests/`,
    viewport: { width: 1280, height: 860 },
    launchOptions: browser ? { executablePath: browser } : {},
  },
  // Writes the pages that are opened from the disk, then serves.
  webServer: {
    command: `${process.env["PYTHON"] ?? "python3"} -m tests.explorer.pages web/test-results/pages ${port}`,
    cwd: "..",
    url: `http://127.0.0.1:${port}/token-of-the-tests/`,
    timeout: 120_000,
    reuseExistingServer: false,
  },
});
