/** Why a gradient is what it is: the way back through a step, one function a quantity. */

import { SLOPE, WRITTEN } from "../trace/cells";
import type { Layer } from "../trace/layer";
import { factor, term, type Factor, type Term } from "./explanation";
import { tanhOfCell, weight, type Made } from "./forward";
import type { Scene } from "./scene";

/** The gradients of a layer that have an equation, by name; null where there is none. */
export function backward(scene: Scene, layer: Layer, q: string, t: number, u: number): Made | null {
  if (q === "dh") {
    const parts = ["dh_out", "dh_carry"].map((part) => term(part === "dh_out" ? "now" : "future", scene.factor(layer, part, t, u)));
    return { formula: "∂L/∂h = from this step's output + from the future", terms: parts };
  }
  if (q === "dh_out") return fromAbove(scene, layer, t, u);
  if (q === "dh_carry") return fromFuture(scene, layer, t, u);
  if (q === "dm" && layer.projected) {
    const terms: Term[] = [];
    for (let k = 0; k < layer.R; k++) terms.push(term("state", weight(layer, "W_hr", k, u), scene.factor(layer, "dh", t, k)));
    return { formula: "∂L/∂m = Σₖ W_hr ∂L/∂hₖ", terms };
  }
  if (q === "dc" && layer.cell.name === "lstm") return ofCell(scene, layer, t, u);
  if (q === "drh" && layer.cell.name === "gru_reset_before") {
    return { formula: "∂L/∂(r h) = Σⱼ W_hn ∂L/∂a_nⱼ", terms: throughRows(scene, layer, ["n"], "W_hh", t, u) };
  }
  if (q === "dx") {
    return { formula: "∂L/∂x = Σ W_xh ∂L/∂a", terms: throughRows(scene, layer, layer.cell.gates, "W_xh", t, u) };
  }
  if (q.startsWith("da:") && layer.cell.gates.includes(q.slice(3))) return ofPreactivation(scene, layer, q.slice(3), t, u);
  return null;
}

/** What a step's output sends back: through the layer that reads it, or through the model's head. */
function fromAbove(scene: Scene, layer: Layer, t: number, u: number): Made | null {
  const readers = scene.wiring.readers[layer.index]!;
  if (readers.length > 0) {
    const terms = readers.map((reader) => term("above", scene.factor(scene.trace.layer(reader.layer), "dx", t, reader.first + u)));
    return { formula: "what the layer above sends back: ∂L/∂x there", terms };
  }
  const head = scene.head;
  const dy = scene.trace.outputs("dy", scene.b);
  if (!head || !dy || !scene.readsHead(layer)) return null;
  const terms: Term[] = [];
  for (let k = 0; k < dy.units; k++) {
    const W = factor(() => `W_hy[${k}, ${u}]`, head.weight(k, u), null);
    terms.push(term("output", W, scene.ofModel("dy", t, k)));
  }
  return { formula: "Σₖ W_hy ∂L/∂yₖ", terms };
}

/** What later steps send back: through the recurrent weights, and past them where a gate lets it by. */
function fromFuture(scene: Scene, layer: Layer, t: number, u: number): Made | null {
  const next = layer.after(t);
  if (!layer.runs(next, scene.b)) return null;
  if (layer.isReset(next, scene.b)) return { formula: "nothing: the state is cleared before the next step", terms: [] };
  const name = layer.cell.name;
  const dense = name === "gru_reset_before" ? ["r", "z"] : layer.cell.gates;
  const terms = throughRows(scene, layer, dense, "W_hh", next, u);
  let formula = "Σ W_hh ∂L/∂a(t+1)";
  if (name === "gru_reset_before") {
    terms.push(term("reset", scene.factor(layer, "drh", next, u), scene.factor(layer, "r", next, u)));
    formula += " + ∂L/∂(r h)(t+1) · r(t+1)";
  }
  if (layer.cell.gates.includes("z")) {
    terms.push(term("kept", scene.factor(layer, "dh", next, u), scene.factor(layer, "z", next, u)));
    formula += " + ∂L/∂h(t+1) · z(t+1)";
  }
  return { formula, terms };
}

/** Σ over rows of W[row, u] times the gradient of that row's pre-activation, at a step. */
function throughRows(scene: Scene, layer: Layer, gates: readonly string[], name: string, t: number, u: number): Term[] {
  const terms: Term[] = [];
  for (const gate of gates) {
    for (let j = 0; j < layer.H; j++) {
      const factors: Factor[] = [weight(layer, name, layer.row(gate, j), u), scene.factor(layer, `da:${gate}`, t, j)];
      // The GRU's reset gate stands between its recurrent product and the candidate.
      if (name === "W_hh" && gate === "n" && layer.cell.name === "gru") factors.push(scene.factor(layer, "r", t, j));
      terms.push(term(gate, ...factors));
    }
  }
  return terms;
}

function ofCell(scene: Scene, layer: Layer, t: number, u: number): Made | null {
  const o = scene.factor(layer, "o", t, u);
  const tanh = tanhOfCell(scene, layer, t, u);
  const now = term("now", through(scene, layer, t, u), o, factor(() => `(1 − ${tanh.sign}²)`, 1 - tanh.value ** 2, tanh.key));
  const formula = `∂L/∂c = ∂L/∂${layer.projected ? "m" : "h"} · o · (1 − tanh²(c)) + ∂L/∂c(t+1) · f(t+1)`;
  const next = layer.after(t);
  if (layer.runs(next, scene.b) && !layer.isReset(next, scene.b)) {
    return { formula, terms: [now, term("future", scene.factor(layer, "dc", next, u), scene.factor(layer, "f", next, u))] };
  }
  const rest = layer.at("dc", t, scene.b, u) - now.value;
  if (layer.runs(next, scene.b) || Math.abs(rest) < 1e-7 * Math.max(1, Math.abs(now.value))) return { formula, terms: [now] };
  return { formula, terms: [now, term("final state", factor("∂L/∂c of the final state", rest, null))] };
}

/** The gradient of o · tanh(c): of h, or of m before a projection. */
function through(scene: Scene, layer: Layer, t: number, u: number): Factor {
  return scene.factor(layer, layer.projected ? "dm" : "dh", t, u);
}

function ofPreactivation(scene: Scene, layer: Layer, gate: string, t: number, u: number): Made | null {
  const squash = layer.cell.squash[gate]!;
  const value = layer.cell.gates.length === 1 ? scene.factor(layer, "h", t, u) : scene.factor(layer, gate, t, u);
  const slope = factor(() => WRITTEN[squash].slope(value.sign), SLOPE[squash](value.value), value.key);
  const slopeSign = WRITTEN[squash].slope(gate);
  const of = (q: string) => scene.factor(layer, q, t, u);
  const made = (formula: string, ...factors: Factor[]): Made => ({
    formula: `∂L/∂a_${gate} = ${formula} · ${slopeSign}`,
    terms: [term("now", ...factors, slope)],
  });
  if (layer.cell.gates.length === 1) return made("∂L/∂h", of("dh"));
  switch (gate) {
    case "i":
      return made("∂L/∂c · g", of("dc"), of("g"));
    case "f":
      return made("∂L/∂c · c(t−1)", of("dc"), scene.entering(layer, "c", t, u));
    case "g":
      return made("∂L/∂c · i", of("dc"), of("i"));
    case "o":
      return made("∂L/∂h · tanh(c)", through(scene, layer, t, u), tanhOfCell(scene, layer, t, u));
    case "n": {
      const z = of("z");
      return made("∂L/∂h · (1 − z)", of("dh"), factor(() => `(1 − ${z.sign})`, 1 - z.value, z.key));
    }
    case "z": {
      const h = scene.entering(layer, "h", t, u);
      const n = of("n");
      return made("∂L/∂h · (h(t−1) − n)", of("dh"), factor(() => `(${h.sign} − ${n.sign})`, h.value - n.value, h.key));
    }
    case "r":
      return layer.cell.name === "gru"
        ? made("∂L/∂a_n · hw_n", of("da:n"), of("hw_n"))
        : made("∂L/∂(r h) · h(t−1)", of("drh"), scene.entering(layer, "h", t, u));
    default:
      return null;
  }
}

/** What each step of the sequences adds to the gradient of a weight. */
export function ofWeight(scene: Scene, layer: Layer, name: string, row: number, column: number): Made | null {
  const isRecurrent = name === "W_hh" || name === "b_hh";
  const gate = layer.cell.gates[Math.floor(row / layer.H)];
  if (gate === undefined || !layer.has("da") || name === "W_hr") return null;
  const unit = row % layer.H;
  const terms: Term[] = [];
  for (let b = 0; b < layer.B; b++) {
    const there = scene.at(b);
    for (let t = 0; t < layer.length(b); t++) {
      const factors = [there.factor(layer, `da:${gate}`, t, unit)];
      if (isRecurrent && gate === "n" && layer.cell.name === "gru") factors.push(there.factor(layer, "r", t, unit));
      if (name === "W_xh") factors.push(there.factor(layer, "x", t, column));
      if (name === "W_hh") {
        if (gate === "n" && layer.cell.name === "gru_reset_before") factors.push(there.factor(layer, "r", t, column));
        factors.push(there.entering(layer, "h", t, column));
      }
      const here = b === scene.b ? factors : factors.map((each) => factor(() => each.sign, each.value, null));
      terms.push(term(layer.B > 1 ? `sequence ${b}` : "step", ...here));
    }
  }
  const right = name.startsWith("b") ? "" : name === "W_xh" ? " · x(t)" : " · h(t−1)";
  return { formula: `∂L/∂${name}[${row}${name.startsWith("b") ? "" : `, ${column}`}] = Σₜ ∂L/∂a_${gate}(t)${right}`, terms };
}

/** A key of a weight's gradient. */
export function gradientOfWeight(layer: Layer, name: string, row: number, column: number): number {
  const d = layer.tensor(`d${name}`);
  return d ? (d.data[row * (d.shape[1] ?? 1) + column] ?? NaN) : NaN;
}

