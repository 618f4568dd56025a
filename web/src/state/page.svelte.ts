/** A trace that is open, with all that the screens share: the view, the scene, what adds up, the theme. */

import type { About } from "../hosts/host";
import { byLikeness, byNumber, byVariance } from "../draw/heat";
import { Scene } from "../inspect/scene";
import { key, type Key } from "../inspect/key";
import { wiring } from "../inspect/sources";
import { check, type Sum } from "../trace/check";
import type { Layer, Matrix } from "../trace/layer";
import type { Trace } from "../trace/trace";
import type { Weights } from "../trace/weights";
import type { View } from "./view.svelte";

export class Page {
  sums = $state.raw<readonly Sum[] | null>(null);
  dark = $state(false);
  /** What was said last to whoever listens to the page. */
  said = $state("");
  private readonly matrices = new Map<string, Matrix | undefined>();
  private readonly orders = new Map<string, readonly number[]>();
  private readonly wires;

  constructor(
    readonly trace: Trace,
    readonly weights: Weights | null,
    readonly about: About,
    readonly view: View,
  ) {
    this.wires = wiring(trace);
    view.fit(trace);
    if (view.unit < 0) view.unit = this.liveliest();
  }

  /** The unit of the layer in view that changes most. */
  private liveliest(): number {
    const states = this.layer.matrix("h", this.view.b);
    return states ? (byVariance(states)[0] ?? 0) : 0;
  }

  readonly scene = $derived.by(() => new Scene(this.trace, this.view.b, this.weights?.head ?? null, this.wires));
  readonly layer = $derived.by(() => this.trace.layer(this.view.layer));
  readonly steps = $derived.by(() => this.layer.length(this.view.b));

  /** A quantity of a layer over the sequence in view; made once. */
  matrix(layer: Layer, quantity: string): Matrix | undefined {
    const name = `${layer.index}/${quantity}/${this.view.b}`;
    if (!this.matrices.has(name)) this.matrices.set(name, layer.matrix(quantity, this.view.b));
    return this.matrices.get(name);
  }

  /** The order in which the units of a layer stand, as the view says; by what their states do. */
  order(layer: Layer, units: number): readonly number[] {
    const states = this.matrix(layer, "h");
    if (!states || states.units !== units) return byNumber(units);
    const name = `${layer.index}/${this.view.b}/${this.view.sort}`;
    let order = this.orders.get(name);
    if (!order) {
      const sort = this.view.sort;
      order = sort === "likeness" ? byLikeness(states) : sort === "variance" ? byVariance(states) : byNumber(units);
      this.orders.set(name, order);
    }
    return order;
  }

  /** The name of a step: its token, or its number. */
  stepName(t: number): string {
    return this.trace.tokens(this.view.b)[t] ?? String(t + this.layer.firstStep);
  }

  /** A step in words. */
  stepWords(t: number): string {
    const token = this.trace.tokens(this.view.b)[t];
    return `step ${t + this.layer.firstStep}${token === undefined ? "" : ` “${token}”`}`;
  }

  pin(of: Key): void {
    this.view.pin(of, this.trace);
  }

  /** The number that is in view: of the shown quantity, at the cursor. */
  get current(): Key {
    const { view } = this;
    return key(view.back ? view.backward : view.forward, view.layer, view.t, view.unit);
  }

  /** Moves the cursor; says what is there. */
  step(by: number): void {
    this.view.t = Math.min(Math.max(0, this.view.t + by), this.steps - 1);
    this.announce();
  }

  announce(): void {
    const of = this.current;
    const made = this.scene.explain(of);
    const largest = [...made.terms].sort((a, b) => Math.abs(b.value) - Math.abs(a.value))[0];
    const cause = largest?.factors.find((factor) => factor.key && !/^[Wb]_/.test(factor.key.q));
    this.said = `${this.stepWords(this.view.t)}, ${this.layer.name} unit ${this.layer.unitName(of.u)}, ${made.sign} ${made.recorded.toPrecision(3)}${cause ? `; largest cause ${cause.sign}` : ""}`;
  }

  /** Looks whether everything adds up, in the background; gives what ends it. */
  check(): () => void {
    let stopped = false;
    void check(this.trace, () => stopped).then((sums) => {
      if (!stopped) this.sums = sums;
    });
    return () => {
      stopped = true;
    };
  }
}
