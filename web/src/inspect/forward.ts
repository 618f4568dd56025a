/** Why a state, a gate or an output is what it is: one function a quantity, by the equations of the cells. */

import { SQUASH, WRITTEN, type Squash } from "../trace/cells";
import type { Layer } from "../trace/layer";
import { factor, term, type Factor, type Term } from "./explanation";
import { key, subscript } from "./key";
import type { Scene } from "./scene";

/** A sum of products, and the function around it. */
export interface Made {
  readonly formula: string;
  readonly squash?: Squash;
  readonly terms: Term[];
}

/** The quantities of a layer that have an equation, by name; null where this cell has no such quantity. */
export function forward(scene: Scene, layer: Layer, q: string, t: number, u: number): Made | null {
  const { cell } = layer;
  if (q.startsWith("a:") && cell.gates.includes(q.slice(2))) {
    return { formula: preactivationFormula(layer, q.slice(2)), terms: preactivation(scene, layer, q.slice(2), t, u) };
  }
  if (q === "hw_n" && cell.name === "gru") {
    const n = halves(scene, layer, "n", t, u);
    return { formula: "hw_n = Σₖ W_hn hₖ(t−1) + b_hn", terms: n.recurrent };
  }
  if (cell.gates.includes(q) && !(q === "h" && cell.gates.length > 1)) {
    const squash = cell.squash[q]!;
    const f = WRITTEN[squash].f;
    const a = preactivationFormula(layer, q).split(" = ")[1]!;
    return { formula: `${q} = ${f}(${a})`, squash, terms: preactivation(scene, layer, q, t, u) };
  }
  if (q === "c" && cell.name === "lstm") return cellState(scene, layer, t, u);
  if (q === "m" && layer.projected) return { ...output(scene, layer, t, u), formula: "m = o · tanh(c)" };
  if (q === "h" && layer.projected) return projection(scene, layer, t, u);
  if (q === "h" && cell.name === "lstm") return output(scene, layer, t, u);
  if (q === "h" && cell.gates.includes("z")) return mixed(scene, layer, t, u);
  return null;
}

function preactivationFormula(layer: Layer, gate: string): string {
  const row = layer.cell.gates.length > 1 ? gate : "";
  const x = `Σⱼ W_x${row || "h"} xⱼ(t)`;
  const bias = layer.has("b_xh") ? " + b" : "";
  if (gate === "n" && layer.cell.name === "gru") return `a_n = ${x} + b_xn + r · (Σₖ W_hn hₖ(t−1) + b_hn)`;
  const inner = gate === "n" ? "r hₖ(t−1)" : "hₖ(t−1)";
  return `a${row ? `_${row}` : ""} = ${x} + Σₖ W_h${row || "h"} ${inner}${bias}`;
}

/** Every summand of a pre-activation. */
function preactivation(scene: Scene, layer: Layer, gate: string, t: number, u: number): Term[] {
  const { input, recurrent } = halves(scene, layer, gate, t, u);
  if (gate === "n" && layer.cell.name === "gru") {
    const r = scene.factor(layer, "r", t, u);
    const hw = factor("hw_n", recurrent.reduce((all, each) => all + each.value, 0), key("hw_n", layer.index, t, u));
    return [...input, term("state", r, hw)];
  }
  return [...input, ...recurrent];
}

/** The halves x W_xhᵀ + b_xh and h W_hhᵀ + b_hh of a gate's unit, summand by summand. */
export function halves(scene: Scene, layer: Layer, gate: string, t: number, u: number): { input: Term[]; recurrent: Term[] } {
  const row = layer.row(gate, u);
  const input: Term[] = [];
  for (let j = 0; j < layer.I; j++) {
    input.push(term("input", weight(layer, "W_xh", row, j), scene.factor(layer, "x", t, j)));
  }
  const recurrent: Term[] = [];
  const resets = gate === "n" && layer.cell.name === "gru_reset_before";
  for (let k = 0; k < layer.R; k++) {
    const entering = scene.entering(layer, "h", t, k);
    const state = resets ? [scene.factor(layer, "r", t, k), entering] : [entering];
    recurrent.push(term("state", weight(layer, "W_hh", row, k), ...state));
  }
  if (layer.has("b_xh")) input.push(term("bias", weight(layer, "b_xh", row)));
  if (layer.has("b_hh")) recurrent.push(term("bias", weight(layer, "b_hh", row)));
  return { input, recurrent };
}

function cellState(scene: Scene, layer: Layer, t: number, u: number): Made {
  const f = scene.factor(layer, "f", t, u);
  return {
    formula: "c = f · c(t−1) + i · g",
    terms: [
      term("kept", f, scene.entering(layer, "c", t, u)),
      term("new", scene.factor(layer, "i", t, u), scene.factor(layer, "g", t, u)),
    ],
  };
}

function output(scene: Scene, layer: Layer, t: number, u: number): Made {
  return { formula: "h = o · tanh(c)", terms: [term("state", scene.factor(layer, "o", t, u), tanhOfCell(scene, layer, t, u))] };
}

export function tanhOfCell(scene: Scene, layer: Layer, t: number, u: number): Factor {
  const c = scene.factor(layer, "c", t, u);
  return factor(() => `tanh(${c.sign})`, Math.tanh(c.value), c.key);
}

function projection(scene: Scene, layer: Layer, t: number, u: number): Made {
  const terms: Term[] = [];
  for (let k = 0; k < layer.H; k++) terms.push(term("state", weight(layer, "W_hr", u, k), scene.factor(layer, "m", t, k)));
  return { formula: "h = Σₖ W_hr mₖ", terms };
}

/** The GRU's new state. */
function mixed(scene: Scene, layer: Layer, t: number, u: number): Made {
  const z = scene.factor(layer, "z", t, u);
  return {
    formula: "h = (1 − z) · n + z · h(t−1)",
    terms: [
      term("new", factor(() => `(1 − ${z.sign})`, 1 - z.value, z.key), scene.factor(layer, "n", t, u)),
      term("kept", z, scene.entering(layer, "h", t, u)),
    ],
  };
}

export function weight(layer: Layer, name: string, row: number, column = 0): Factor {
  const sign = () => (name.startsWith("b") ? `${name}${subscript(row)}` : `${name}[${row}, ${column}]`);
  return factor(sign, layer.weight(name, row, column), key(`${name}:${row}`, layer.index, 0, column));
}

/** What a function gives of a sum. */
export function squashed(squash: Squash): (sum: number) => number {
  return SQUASH[squash];
}
