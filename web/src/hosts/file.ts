/** The page as one file: what it shows stands in it, and it asks nobody. */

import { fromBase64, hash, NOTHING, type About, type Host } from "./host";

/** The text of an element of the page by its id; null where there is none. */
function text(id: string): string | null {
  return document.getElementById(id)?.textContent ?? null;
}

export function fileHost(): Host | null {
  const trace = text("unrolled-trace");
  if (trace === null) return null;
  const weights = text("unrolled-weights");
  const about = JSON.parse(text("unrolled-about") ?? JSON.stringify(NOTHING)) as About;
  return {
    kind: "file",
    open: () => Promise.resolve({ trace: fromBase64(trace), weights: weights === null ? null : fromBase64(weights), about }),
    choices: () => Promise.resolve([]),
    trace: () => Promise.reject(new Error("This file shows what it carries; unrolled explore reads other texts.")),
    link: hash,
    report: document.getElementById("unrolled-report"),
  };
}
