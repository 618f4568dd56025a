/**
 * Whoever shows the page: a file, a server, a notebook. The page asks for bytes by name and for work by verb, hears
 * when something is new, and keeps the state of its view where that host keeps links.
 */

export interface Finding {
  readonly name: string;
  readonly layer: string;
  readonly severity: string;
  readonly says: string;
  readonly cause: string;
  readonly figures: readonly { name: string; value: number | null; unit: string; limit: number | null; beyond: string | null }[];
  readonly remedies: readonly { words: string; command: string; python: string; moves: string }[];
}

/** What is said of a trace besides its numbers. */
export interface About {
  /** What whoever opens this page was given: text, weights, and how much. */
  readonly carries: string;
  readonly findings: readonly Finding[];
  /** What could not be judged, and what it would take. */
  readonly untold: readonly string[];
}

/** A line of the list of what can be opened. */
export interface Choice {
  readonly name: string;
  readonly title: string;
  readonly kind: "run" | "example";
  /** Whether it takes a text. */
  readonly asks: boolean;
}

/** A trace with what belongs to it. */
export interface Opened {
  readonly trace: Uint8Array;
  readonly weights: Uint8Array | null;
  readonly about: About;
}

export interface Host {
  readonly kind: "file" | "served" | "notebook";
  /** What is shown at first; null where the host has a list to choose from. */
  open(): Promise<Opened | null>;
  /** What can be opened; empty where there is nothing but what is shown. */
  choices(): Promise<readonly Choice[]>;
  /** A run, or an example, over a text. */
  trace(name: string, text: string): Promise<Opened>;
  /** The state of the view, as the part of a link behind `#`. */
  readonly link: { read(): string; write(state: string): void; heard(changed: () => void): () => void };
  /** The report that stands in the page besides, or null. */
  readonly report: HTMLElement | null;
}

export const NOTHING: About = { carries: "", findings: [], untold: [] };

/** Links of a page of its own. */
export const hash: Host["link"] = {
  read: () => location.hash.slice(1),
  write(state) {
    try {
      history.replaceState(null, "", `#${state}`);
    } catch {
      // A page inside another's text has no address of its own.
    }
  },
  heard(changed) {
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  },
};

export function fromBase64(text: string): Uint8Array {
  const letters = atob(text.trim());
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}
