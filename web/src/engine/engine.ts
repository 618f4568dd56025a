/** The model inside the page: one step at a time over tokens, with the weights of the trace and its way to the logits. */

import { wiring } from "../inspect/sources";
import { step } from "../trace/check";
import type { Layer } from "../trace/layer";
import type { Trace } from "../trace/trace";
import type { Weights } from "../trace/weights";

/** What is carried from step to step: by layer, h and, of an LSTM, c. */
export interface State {
  readonly h: readonly Float64Array[];
  readonly c: readonly Float64Array[];
}

/** A change of one unit's state, after a step. */
export interface Poke {
  readonly layer: number;
  readonly unit: number;
  readonly value: number;
}

export interface Engine {
  readonly layers: readonly Layer[];
  readonly weights: Weights;
  start(): State;
  /** The state after one more token. */
  step(state: State, id: number): State;
  /** The logits of what may come next. */
  logits(state: State): Float64Array;
}

/** The model of a trace; or a sentence that says why there is none in this page. */
export function engine(trace: Trace, weights: Weights | null): Engine | string {
  const { layers } = trace;
  if (!weights) return "The way from the states to the next token is not in this page: the model is large, was left out, or is no language model.";
  if (layers.some((layer) => layer.reverse)) return "The network reads in both directions, so it has nothing to say before the end.";
  if (layers.some((layer) => layer.units || !layer.has("W_xh") || !layer.has("W_hh"))) return "The weights of the layers are not in this page.";
  const { sources } = wiring(trace);
  if (!sources.every((found, index) => (index === 0 ? found.length === 0 : found.length === 1 && found[0]!.layer === index - 1))) {
    return "The layers do not stand one on the other, which is all that this page can run.";
  }
  const last = trace.last;
  if (weights.head.size !== last.R) return "The weights in this page do not fit the trace.";
  return {
    layers,
    weights,
    start: () => ({ h: layers.map(({ R }) => new Float64Array(R)), c: layers.map(({ H }) => new Float64Array(H)) }),
    step(state, id) {
      const h: Float64Array[] = [];
      const c: Float64Array[] = [];
      let x: Float32Array | Float64Array = weights.vector(id);
      for (const [index, layer] of layers.entries()) {
        const given = step(layer, x, state.h[index]!, (u) => state.c[index]![u]!);
        const left = given.get("h")!;
        h.push(left);
        c.push(given.get("c") ?? state.c[index]!);
        x = left;
      }
      return { h, c };
    },
    logits(state) {
      const top = state.h[state.h.length - 1]!;
      const { head, vocabulary } = weights;
      return Float64Array.from({ length: vocabulary.length }, (_, k) => {
        let y = head.bias(k);
        for (let u = 0; u < top.length; u++) y += head.weight(k, u) * top[u]!;
        return y;
      });
    },
  };
}

/** Probabilities of logits at a temperature; at 0, all for the likeliest. */
export function softmax(y: Float64Array, temperature = 1): Float64Array {
  const most = Math.max(...y);
  if (temperature === 0) return y.map((value) => (value === most ? 1 : 0));
  const e = y.map((value) => Math.exp((value - most) / temperature));
  const sum = e.reduce((all, each) => all + each, 0);
  return e.map((value) => value / sum);
}

/** Draws one among the `top` likeliest; 0 for all. */
export function draw(p: Float64Array, top: number, chance: number): number {
  const order = [...p.keys()].sort((a, b) => p[b]! - p[a]!).slice(0, top || p.length);
  let left = chance * order.reduce((sum, k) => sum + p[k]!, 0);
  for (const k of order) {
    left -= p[k]!;
    if (left < 0) return k;
  }
  return order[0]!;
}

/** How uncertain a distribution is, in bits. */
export function entropy(p: Float64Array): number {
  return p.reduce((sum, value) => sum - (value > 0 ? value * Math.log2(value) : 0), 0);
}

/** A text that is read as it is typed: every state is kept, so that going back costs nothing. */
export class Reading {
  private ids: number[] = [];
  private states: State[];
  private pokes = new Map<number, readonly Poke[]>();

  constructor(private readonly engine: Engine) {
    this.states = [engine.start()];
  }

  get length(): number {
    return this.ids.length;
  }

  /** Reads other tokens: from the first that is another on. Gives how many steps that took. */
  read(ids: readonly number[]): number {
    let same = 0;
    while (same < ids.length && same < this.ids.length && ids[same] === this.ids[same]) same++;
    this.ids = [...ids];
    return this.from(same);
  }

  /** Changes units after so many tokens, and reads on from there. */
  poke(at: number, pokes: readonly Poke[]): number {
    if (pokes.length) this.pokes.set(at, pokes);
    else this.pokes.delete(at);
    return this.from(Math.max(0, at - 1));
  }

  /** The state after so many tokens. */
  state(at: number): State {
    return this.states[at]!;
  }

  /** What may come next after so many tokens. */
  next(at: number, temperature = 1): Float64Array {
    return softmax(this.engine.logits(this.state(at)), temperature);
  }

  private from(first: number): number {
    for (const at of this.pokes.keys()) if (at > this.ids.length) this.pokes.delete(at);
    this.states.length = first + 1;
    if (first === 0) this.states[0] = this.poked(this.engine.start(), 0);
    for (let at = first; at < this.ids.length; at++) this.states.push(this.poked(this.engine.step(this.states[at]!, this.ids[at]!), at + 1));
    return this.ids.length - first;
  }

  private poked(state: State, at: number): State {
    const pokes = this.pokes.get(at);
    if (!pokes) return state;
    const h = state.h.map((values) => values.slice());
    for (const { layer, unit, value } of pokes) h[layer]![unit] = value;
    return { h, c: state.c };
  }
}
