import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** What the page is made of. The test of the Python side computes the same digest over the same files. */
const SOURCES = ["package.json", "package-lock.json", "svelte.config.js", "tsconfig.json", "vite.config.ts"];

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

function digest(): string {
  const hash = createHash("sha256");
  const paths = [...SOURCES, ...files("src")].map((path) => path.replaceAll("\\", "/")).sort();
  for (const path of paths) hash.update(`${path}\n`).update(readFileSync(path));
  return hash.digest("hex");
}

/** Says beside the bundle which sources it was built from. */
const stamp: Plugin = {
  name: "stamp",
  writeBundle({ dir }) {
    writeFileSync(join(dir ?? ".", "build.json"), `${JSON.stringify({ sources: digest() })}\n`);
  },
};

export default defineConfig({
  plugins: [svelte(), stamp],
  build: {
    target: "es2022",
    outDir: "../src/unrolled/explorer/static",
    emptyOutDir: true,
    rolldownOptions: { output: { minify: true } },
    lib: { entry: "src/explorer.ts", formats: ["es"], fileName: () => "explorer.js" },
  },
  test: { include: ["tests/**/*.test.ts"] },
});
