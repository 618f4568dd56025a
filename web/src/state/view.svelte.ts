/** What is in view: the screen, the step, the layer, the unit. All of it goes into the link and comes back from there. */

import { parse, same, write, type Key } from "../inspect/key";
import type { Trace } from "../trace/trace";

export const SORTS = ["likeness", "number", "variance"] as const;
export type Sort = (typeof SORTS)[number];
export type Theme = "auto" | "light" | "dark";

export class View {
  screen = $state("unrolled");
  /** The step, from the first that was kept. */
  t = $state(0);
  b = $state(0);
  layer = $state(0);
  /** The unit; -1 until one is chosen. */
  unit = $state(-1);
  /** The quantity that is shown of every layer; of the way back, that of its gradients. */
  forward = $state("h");
  backward = $state("dh");
  back = $state(false);
  /** The step whose loss alone is followed back; -1 for all. */
  s = $state(-1);
  sort = $state<Sort>("likeness");
  theme = $state<Theme>("auto");
  pinned = $state<Key | null>(null);
  playing = $state(false);
  /** Steps a second. */
  speed = $state(4);
  trail = $state.raw<readonly Key[]>([]);
  place = $state(-1);

  /** Asks about a number, and goes to where it is. */
  pin(key: Key, trace: Trace): void {
    if (this.pinned && same(this.pinned, key)) return;
    this.trail = [...this.trail.slice(0, this.place + 1), key].slice(-100);
    this.place = this.trail.length - 1;
    this.go(key, trace);
  }

  /** Back or forth among the numbers that were asked about. */
  walk(by: number, trace: Trace): void {
    const place = this.place + by;
    const key = this.trail[place];
    if (!key) return;
    this.place = place;
    this.go(key, trace);
  }

  private go(key: Key, trace: Trace): void {
    this.pinned = key;
    const isWeight = /^[Wb]_/.test(key.q);
    if (!isWeight) this.t = Math.min(Math.max(0, key.t), trace.layer(key.layer < 0 ? this.layer : key.layer).length(this.b) - 1);
    if (key.layer < 0) return;
    this.layer = key.layer;
    if (!isWeight && key.q !== "x" && key.q !== "dx") this.unit = key.u;
    this.back = key.q.startsWith("d");
  }

  /** Keeps everything within a trace. */
  fit(trace: Trace): void {
    const within = (value: number, count: number) => Math.min(Math.max(0, value), Math.max(0, count - 1));
    this.b = within(this.b, trace.B);
    this.layer = within(this.layer, trace.layers.length);
    const layer = trace.layer(this.layer);
    this.t = within(this.t, layer.length(this.b));
    if (this.unit >= 0) this.unit = within(this.unit, layer.unitCount("h") || layer.H);
    if (this.s >= layer.length(this.b)) this.s = -1;
    if (this.pinned && this.pinned.layer >= trace.layers.length) this.pinned = null;
    const { forward, backward } = layer.quantities();
    if (!forward.includes(this.forward)) this.forward = forward[0] ?? "h";
    if (!backward.includes(this.backward)) this.backward = backward[0] ?? "dh";
    if (backward.length === 0) this.back = false;
  }

  /** The part of a link behind `#`. */
  get link(): string {
    const said: Record<string, string | number> = { s: this.screen, t: this.t, l: this.layer, u: this.unit };
    if (this.b) said["b"] = this.b;
    if (this.forward !== "h") said["q"] = this.forward;
    if (this.backward !== "dh") said["d"] = this.backward;
    if (this.back) said["mode"] = "back";
    if (this.s >= 0) said["loss"] = this.s;
    if (this.sort !== "likeness") said["sort"] = this.sort;
    if (this.theme !== "auto") said["theme"] = this.theme;
    if (this.pinned) said["k"] = write(this.pinned);
    return new URLSearchParams(Object.entries(said).map(([name, value]) => [name, String(value)])).toString();
  }

  /** Takes the state from a link; what it does not say, or says wrongly, stays. */
  follow(link: string): void {
    const said = new URLSearchParams(link);
    const whole = (name: string, otherwise: number) => {
      const value = Number(said.get(name) ?? NaN);
      return Number.isSafeInteger(value) ? value : otherwise;
    };
    this.screen = said.get("s") ?? this.screen;
    this.t = whole("t", this.t);
    this.layer = whole("l", this.layer);
    this.unit = whole("u", this.unit);
    this.b = whole("b", 0);
    this.forward = said.get("q") ?? this.forward;
    this.backward = said.get("d") ?? this.backward;
    this.back = said.get("mode") === "back";
    this.s = whole("loss", -1);
    this.sort = SORTS.find((sort) => sort === said.get("sort")) ?? "likeness";
    const theme = said.get("theme");
    if (theme === "light" || theme === "dark") this.theme = theme;
    this.pinned = parse(said.get("k") ?? "") ?? null;
    if (this.pinned && !said.has("u") && !/^[Wb]_|^d?x$/.test(this.pinned.q)) this.unit = this.pinned.u;
    this.trail = this.pinned ? [this.pinned] : [];
    this.place = this.trail.length - 1;
  }
}
