/** The page in a notebook, through anywidget: the kernel's bytes, and no link. */

import type { About, Host } from "./host";
import { NOTHING } from "./host";

/** What we need of anywidget's model. */
export interface WidgetModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, heard: () => void): void;
  off(event: string, heard: () => void): void;
}

function bytes(value: unknown): Uint8Array | null {
  if (value instanceof DataView) return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  return value instanceof Uint8Array && value.length ? value : null;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function notebookHost(model: WidgetModel): Host {
  return {
    kind: "notebook",
    open() {
      const trace = bytes(model.get("trace"));
      if (!trace) return Promise.resolve(null);
      const said = text(model.get("about"));
      const about = said ? (JSON.parse(said) as About) : NOTHING;
      return Promise.resolve({ trace, weights: bytes(model.get("weights")), about });
    },
    choices: () => Promise.resolve([]),
    trace: () => Promise.reject(new Error("Trace another text in the notebook, and show it in a cell of its own.")),
    link: {
      read: () => text(model.get("view")),
      write(state) {
        model.set("view", state);
        model.save_changes();
      },
      heard(changed) {
        model.on("change:view", changed);
        return () => model.off("change:view", changed);
      },
    },
    report: null,
  };
}
