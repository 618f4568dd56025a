/** A trace with one of its sequences in view: every number of it by key, and why it is what it is. */

import type { Layer } from "../trace/layer";
import type { Trace } from "../trace/trace";
import { backward, gradientOfWeight, ofWeight } from "./backward";
import { factor, term, type Explanation, type Factor, type Term } from "./explanation";
import { forward, squashed, type Made } from "./forward";
import { isGradient, isWeight, key, named, weightOf, type Key } from "./key";
import { wiring, type Wiring } from "./sources";

/** The weights from the last layer's output to the logits, where they are at hand. */
export interface Head {
  weight(k: number, u: number): number;
  bias(k: number): number;
  readonly size: number;
}

/** A place of consequence: where a number goes, and how much of it arrives there. */
export interface Effect {
  readonly key: Key;
  readonly sign: string;
  readonly through: string;
  readonly value: number;
}

export class Scene {
  readonly wiring: Wiring;

  constructor(
    readonly trace: Trace,
    readonly b: number,
    readonly head: Head | null = null,
    found?: Wiring,
  ) {
    this.wiring = found ?? wiring(trace);
  }

  /** The same for another sequence. */
  at(b: number): Scene {
    return b === this.b ? this : new Scene(this.trace, b, this.head, this.wiring);
  }

  /** Whether the head reads this layer: the last one that ran, over all of its output. */
  readsHead(layer: Layer): boolean {
    return this.head !== null && layer.index === this.trace.last.index && this.head.size === layer.R;
  }

  /** How a key is written. */
  sign(of: Key): string {
    if (of.layer < 0) return named(of, this.trace.last.firstStep, of.u);
    const layer = this.trace.layer(of.layer);
    const several = this.trace.layers.length > 1 ? `${layer.name} ` : "";
    const unit = of.q === "x" || of.q === "dx" ? of.u : layer.unitName(of.u);
    return several + named(of, layer.firstStep, unit);
  }

  /** The number of a key, as it was recorded; NaN where it was not kept. */
  value(of: Key): number {
    const { q, t, u } = of;
    if (of.layer < 0) return this.modelValue(q, t, u);
    const layer = this.trace.layer(of.layer);
    if (isWeight(q)) {
      const { name, row } = weightOf(q);
      return layer.weight(name, row, u);
    }
    if (q === "a:h" || q.startsWith("a:") || q === "dm" || q === "drh") {
      const made = isGradient(q) ? backward(this, layer, q, t, u) : forward(this, layer, q, t, u);
      return made ? total(made.terms) : NaN;
    }
    const initial = layer.cell.states.includes(q) && !layer.runs(t, this.b);
    if (initial) return layer.entering(q, layer.after(t), this.b, u);
    if (q === "r" && !layer.has("gates")) return NaN;
    return layer.at(q, t, this.b, u);
  }

  /** A quantity of a layer at a step, as a part of a product. */
  factor(layer: Layer, q: string, t: number, u: number): Factor {
    const of = key(q, layer.index, t, u);
    return factor(() => this.sign(of), this.value(of), of);
  }

  /** A state that enters a step, as a part of a product: what left the step before. */
  entering(layer: Layer, state: string, t: number, u: number): Factor {
    const of = key(state, layer.index, layer.before(t), u);
    return factor(() => this.sign(of), layer.entering(state, t, this.b, u), layer.isReset(t, this.b) ? null : of);
  }

  /** A number of the whole model, as a part of a product. */
  ofModel(q: string, t: number, k: number): Factor {
    const of = key(q, -1, t, k);
    return factor(() => this.sign(of), this.value(of), of);
  }

  /** What an output is of: a token, a label, or its number. */
  outputName(k: number): string {
    return this.trace.facts.outputs[k] ?? String(k);
  }

  /** Why a number is what it is. */
  explain(of: Key): Explanation {
    if (of.layer < 0) return this.explainModel(of);
    const layer = this.trace.layer(of.layer);
    if (isWeight(of.q)) return this.explainWeight(layer, of);
    const reached = layer.runs(of.t, this.b);
    const made = reached && !layer.units ? this.equation(layer, of) : null;
    return this.explanation(of, made, words(layer, of.q), reached ? "" : "the state before the first step", this.python(layer, of));
  }

  /** Where a number goes next: the largest effects first. */
  effects(of: Key, most = 8): Effect[] {
    if (of.layer < 0 || isWeight(of.q)) return [];
    const layer = this.trace.layer(of.layer);
    if (layer.units) return [];
    const candidates = this.followers(layer, of);
    const found: { next: Key; at: number; term: Term }[] = [];
    for (const { key: next, made } of candidates) {
      for (const each of made.terms) {
        const at = each.factors.findIndex((f) => f.key && f.key.q === of.q && f.key.layer === of.layer && f.key.t === of.t && f.key.u === of.u);
        if (at < 0 || !Number.isFinite(each.value)) continue;
        found.push({ next, at, term: each });
      }
    }
    found.sort((a, b) => Math.abs(b.term.value) - Math.abs(a.term.value));
    return found.slice(0, most).map(({ next, at, term: { factors, value } }) => {
      const through = factors.filter((_, k) => k !== at).map((f) => f.sign).join(" · ");
      return { key: next, sign: this.sign(next), through, value };
    });
  }

  /** The numbers whose equations may hold this one, with these equations cut to the terms in question. */
  private followers(layer: Layer, of: Key): { key: Key; made: Made }[] {
    const { q, t, u } = of;
    const here = (quantity: string) => key(quantity, layer.index, t, u);
    const found: Key[] = [];
    const next = layer.after(t);
    const cuts: { key: Key; made: Made }[] = [];
    if (q === "x" || q === "h") {
      const at = q === "x" ? t : next;
      if (layer.runs(at, this.b) && !(q === "h" && layer.isReset(at, this.b))) {
        for (const gate of layer.cell.gates) {
          for (let j = 0; j < layer.H; j++) cuts.push(this.cut(layer, gate, at, j, q, u));
        }
        if (q === "h" && layer.cell.gates.includes("z")) found.push(key("h", layer.index, at, u));
      }
      if (q === "h") {
        for (const reader of this.wiring.readers[layer.index]!) {
          const above = key("x", reader.layer, t, reader.first + u);
          cuts.push({ key: above, made: { formula: "", terms: [term("above", this.factor(layer, "h", t, u))] } });
        }
      }
    } else if (q === "c") {
      found.push(here(layer.projected ? "m" : "h"), key("c", layer.index, next, u));
    } else if (layer.cell.gates.includes(q)) {
      found.push(...["c", "h", "m"].map(here), here("a:n"));
    } else if (q.startsWith("a:")) {
      return [];
    } else if (q === "dh" || q === "dc" || q === "dm") {
      found.push(...layer.cell.gates.map((gate) => here(`da:${gate}`)), here("dc"));
      const before = layer.before(t);
      found.push(key("dc", layer.index, before, u), key("dh_carry", layer.index, before, u));
    } else if (q === "dh_out" || q === "dh_carry") {
      found.push(here("dh"));
    }
    for (const each of found) {
      if (!layer.runs(each.t, this.b)) continue;
      const made = this.equation(layer, each);
      if (made) cuts.push({ key: each, made });
    }
    return cuts;
  }

  /** The one summand of a gate's pre-activation that an input or a state makes. */
  private cut(layer: Layer, gate: string, t: number, j: number, q: string, u: number): { key: Key; made: Made } {
    const row = layer.row(gate, j);
    const name = q === "x" ? "W_xh" : "W_hh";
    const W = factor(() => `${name}[${row}, ${u}]`, layer.weight(name, row, u), null);
    const operand = q === "x" ? this.factor(layer, "x", t, u) : this.entering(layer, "h", t, u);
    const factors = [W, operand];
    if (q === "h" && gate === "n") {
      const r = this.factor(layer, "r", t, layer.cell.name === "gru" ? j : u);
      factors.splice(layer.cell.name === "gru" ? 2 : 1, 0, r);
    }
    const quantity = layer.cell.gates.length === 1 ? "h" : gate;
    return { key: key(quantity, layer.index, t, j), made: { formula: "", terms: [term("", ...factors)] } };
  }

  private equation(layer: Layer, { q, t, u }: Key): Made | null {
    const need = isGradient(q) ? layer.has("da") && layer.has("W_hh") : layer.has("W_xh") && layer.has("W_hh") && layer.has("x") && layer.has("h");
    if (q === "x") return this.inputOf(layer, t, u);
    if (!need) return null;
    return isGradient(q) ? backward(this, layer, q, t, u) : forward(this, layer, q, t, u);
  }

  private inputOf(layer: Layer, t: number, j: number): Made | null {
    const source = this.wiring.sources[layer.index]!.find(({ first, count }) => j >= first && j < first + count);
    if (!source) return null;
    const below = this.trace.layer(source.layer);
    return { formula: "the output of the layer below", terms: [term("below", this.factor(below, "h", t, j - source.first))] };
  }

  private explanation(of: Key, made: Made | null, what: string, given: string, python: string): Explanation {
    const squash = made?.squash;
    const layer = of.layer >= 0 ? this.trace.layer(of.layer) : null;
    return {
      key: of,
      sign: this.sign(of),
      words: what,
      recorded: this.value(of),
      formula: made?.formula ?? "",
      outer: squash && squash !== "identity" ? { sign: squash === "sigmoid" ? "σ" : squash, of: squashed(squash) } : null,
      terms: made?.terms ?? [],
      given: made ? "" : given || this.givenBy(of, layer),
      python,
    };
  }

  private givenBy(of: Key, layer: Layer | null): string {
    if (layer?.units) return "only some units were kept, so that the sums it comes from are not whole; trace again with all";
    if (of.q === "x") {
      const token = this.trace.tokens(this.b)[of.t];
      return token === undefined ? "a feature of the input" : `a feature of the vector of the token “${token}”`;
    }
    if (of.q === "dh_out") return "what the rest of the model, which the trace does not hold, sends back to this output";
    if (of.q === "dh_carry") return "what the loss sends back to the final state: after this step none runs";
    return "the trace does not hold what it follows from";
  }

  private explainWeight(layer: Layer, of: Key): Explanation {
    const { name, row } = weightOf(of.q);
    const made = layer.units ? null : ofWeight(this, layer, name, row, of.u);
    const gradient = gradientOfWeight(layer, name, row, of.u);
    const place = name.startsWith("b") ? `${row}` : `${row}, ${of.u}`;
    const about = `a weight that was learned, ${layer.weight(name, row, of.u).toPrecision(4)}; below, its gradient`;
    return {
      ...this.explanation(of, made, about, "", `trace["${layer.name}/d${name}"][${place}]`),
      sign: `∂L/∂${this.sign(of)}`,
      recorded: gradient,
    };
  }

  private python(layer: Layer, { q, t, u }: Key): string {
    const at = `trace.layers[${layer.index}]`;
    const gate = q.includes(":") ? q.split(":")[1]! : q;
    if (q.startsWith("a:")) return `sum(${at}.preactivations())[${t}, ${this.b}, ${layer.cell.gates.indexOf(gate)}, ${u}]`;
    if (q.startsWith("da:")) return `${at}.da[${t}, ${this.b}, ${layer.cell.gates.indexOf(gate)}, ${u}]`;
    if (q === "h") return `${at}.output[${t}, ${this.b}, ${u}]`;
    if (q === "c") return `${at}.c[${layer.reverse ? t : t + 1}, ${this.b}, ${u}]`;
    if (layer.cell.gates.includes(q)) return `${at}.gate("${q}")[${t}, ${this.b}, ${u}]`;
    return layer.has(q) ? `${at}.${q}[${t}, ${this.b}, ${u}]` : "";
  }

  // ------------------------------------------------------------------------------------ the whole model

  private modelValue(q: string, t: number, k: number): number {
    if (q === "loss") return this.trace.losses(this.b)?.[t] ?? NaN;
    const matrix = this.trace.outputs(q, this.b);
    return matrix && t < matrix.steps ? (matrix.values[t * matrix.units + k] ?? NaN) : NaN;
  }

  private explainModel(of: Key): Explanation {
    const { q, t, u } = of;
    const python = q === "loss" ? `trace["loss_t"][${t}, ${this.b}]` : `trace["${q}"][${t}, ${this.b}, ${u}]`;
    const name = this.outputName(u);
    const what: Record<string, string> = {
      y: `the logit of “${name}”`,
      p: `the probability of “${name}”`,
      dy: `the gradient of the logit of “${name}”`,
      loss: "the surprise at the token that came, in nats",
    };
    const made = this.modelEquation(of);
    const base = this.explanation(of, made, what[q] ?? q, "the rest of the model, which the trace does not hold, gives it", python);
    if (q !== "p" || !made) return base;
    return { ...base, outer: this.isEach(t, u) ? { sign: "σ", of: squashed("sigmoid") } : { sign: "exp", of: Math.exp } };
  }

  private modelEquation({ q, t, u }: Key): Made | null {
    const y = this.trace.outputs("y", this.b);
    const target = this.trace.target(t, this.b);
    if (q === "y" && this.head) {
      const layer = this.trace.last;
      if (!this.readsHead(layer)) return null;
      const terms: Term[] = [];
      for (let k = 0; k < layer.R; k++) terms.push(term("state", factor(() => `W_hy[${u}, ${k}]`, this.head.weight(u, k), null), this.factor(layer, "h", t, k)));
      terms.push(term("bias", factor(`b_y[${u}]`, this.head.bias(u), null)));
      return { formula: "y = Σₖ W_hy hₖ + b_y", terms };
    }
    if (!y || (q !== "p" && q !== "loss" && q !== "dy")) return null;
    const all = factor("ln Σₖ exp(yₖ)", logSumExp(y.values.subarray(t * y.units, (t + 1) * y.units)), null);
    const minus = factor("−1", -1, null);
    if (q === "p" && this.isEach(t, u)) return { formula: "p = σ(y)", terms: [term("logit", this.ofModel("y", t, u))] };
    if (q === "p") return { formula: "p = exp(y − ln Σₖ exp(yₖ))", terms: [term("logit", this.ofModel("y", t, u)), term("all", minus, all)] };
    if (target === undefined || target < 0) return null;
    if (q === "loss") return { formula: "L = ln Σₖ exp(yₖ) − y of what came", terms: [term("all", all), term("logit", minus, this.ofModel("y", t, target))] };
    return this.ofLogit(t, u, target);
  }

  /** Whether each output is a probability by itself, as keys that may sound together are, and not one of all. */
  private isEach(t: number, k: number): boolean {
    const y = this.trace.outputs("y", this.b);
    if (!y) return false;
    const row = y.values.subarray(t * y.units, (t + 1) * y.units);
    const p = this.modelValue("p", t, k);
    const alone = squashed("sigmoid")(row[k]!);
    return Math.abs(p - alone) < Math.abs(p - Math.exp(row[k]! - logSumExp(row)));
  }

  /** The gradient of a logit where the loss is the mean surprise. */
  private ofLogit(t: number, k: number, target: number): Made | null {
    const count = this.trace.arrays.get("targets")?.data.length ?? 0;
    const p = this.ofModel("p", t, k);
    const share = factor("1/N", 1 / count, null);
    const terms = [term("probability", p, share)];
    if (k === target) terms.push(term("came", factor("−1", -1, null), share));
    const apart = Math.abs(total(terms) - this.modelValue("dy", t, k));
    return apart <= 1e-5 / count ? { formula: "∂L/∂y = (p − [it came]) / N", terms } : null;
  }
}

function total(terms: readonly Term[]): number {
  return terms.reduce((all, each) => all + each.value, 0);
}

function logSumExp(values: Float32Array | Float64Array): number {
  let most = -Infinity;
  for (const value of values) most = Math.max(most, value);
  let all = 0;
  for (const value of values) all += Math.exp(value - most);
  return most + Math.log(all);
}

function words(layer: Layer, q: string): string {
  const [head, gate] = q.split(":");
  const gates = layer.cell.words;
  if (q === "h") return "state that leaves the step";
  if (q === "c") return "cell state that leaves the step";
  if (q === "x") return "input";
  if (q === "m") return "output before the projection";
  if (q === "hw_n") return "recurrent half of the candidate";
  if (head === "a") return `pre-activation of the ${gates[gate!] ?? gate}`;
  if (head === "da") return `gradient of the ${gates[gate!] ?? gate}'s pre-activation`;
  if (gates[q]) return gates[q];
  const gradients: Record<string, string> = {
    dh: "gradient of the state that leaves the step",
    dh_out: "its part from this step's own output",
    dh_carry: "its part from later steps",
    dc: "gradient of the cell state",
    dm: "gradient before the projection",
    drh: "gradient of the reset state",
    dx: "gradient of the input",
  };
  return gradients[q] ?? q;
}
