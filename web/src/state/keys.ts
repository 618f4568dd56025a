/** What keys do, and how help says it. */

import type { Page } from "./page.svelte";

export interface Press {
  readonly keys: readonly string[];
  readonly shown: string;
  readonly says: string;
  does(page: Page, shifted: boolean): void;
}

/** Moves to the next unit in the order in which they stand. */
function unit(page: Page, by: number): void {
  const { view, layer } = page;
  const order = page.order(layer, layer.unitCount("h") || layer.H);
  const at = order.indexOf(view.unit);
  view.unit = order[Math.min(order.length - 1, Math.max(0, at + by))] ?? 0;
  page.announce();
}

function layer(page: Page, by: number): void {
  const { view, trace } = page;
  view.layer = Math.min(trace.layers.length - 1, Math.max(0, view.layer + by));
  view.fit(trace);
  page.announce();
}

/** The next quantity of those that are shown. */
function quantity(page: Page): void {
  const { view } = page;
  const { forward, backward } = page.layer.quantities();
  const next = (names: string[], now: string) => names[(names.indexOf(now) + 1) % names.length] ?? now;
  if (view.back) view.backward = next(backward, view.backward);
  else view.forward = next(forward, view.forward);
  page.announce();
}

export const KEYS: readonly Press[] = [
  { keys: ["ArrowLeft"], shown: "←", says: "the step before; with Shift ten", does: (page, shifted) => page.step(shifted ? -10 : -1) },
  { keys: ["ArrowRight"], shown: "→", says: "the next step; with Shift ten", does: (page, shifted) => page.step(shifted ? 10 : 1) },
  { keys: ["Home"], shown: "Home", says: "the first step", does: (page) => page.step(-Infinity) },
  { keys: ["End"], shown: "End", says: "the last step", does: (page) => page.step(Infinity) },
  { keys: ["ArrowUp"], shown: "↑", says: "the unit above", does: (page, shifted) => unit(page, shifted ? -10 : -1) },
  { keys: ["ArrowDown"], shown: "↓", says: "the unit below", does: (page, shifted) => unit(page, shifted ? 10 : 1) },
  { keys: ["PageUp"], shown: "Page up", says: "the layer above", does: (page) => layer(page, 1) },
  { keys: ["PageDown"], shown: "Page down", says: "the layer below", does: (page) => layer(page, -1) },
  { keys: [" "], shown: "Space", says: "play, or pause", does: ({ view }) => (view.playing = !view.playing) },
  { keys: ["["], shown: "[", says: "slower", does: ({ view }) => (view.speed = Math.max(1, view.speed / 2)) },
  { keys: ["]"], shown: "]", says: "faster", does: ({ view }) => (view.speed = Math.min(32, view.speed * 2)) },
  { keys: ["f", "F"], shown: "F", says: "forward", does: ({ view }) => (view.back = false) },
  {
    keys: ["b", "B"],
    shown: "B",
    says: "backward",
    does: ({ view, trace }) => {
      view.back = true;
      view.fit(trace);
    },
  },
  { keys: ["g", "G"], shown: "G", says: "the next gate or gradient", does: quantity },
  { keys: ["Enter"], shown: "Enter", says: "ask about the number in view", does: (page) => page.pin(page.current) },
  { keys: ["Backspace"], shown: "Backspace", says: "back to the number asked about before", does: ({ view, trace }) => view.walk(-1, trace) },
  { keys: ["Escape"], shown: "Esc", says: "let go of the number", does: ({ view }) => (view.pinned = null) },
];
