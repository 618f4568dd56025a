/** Whether a trace adds up, looked at in the page itself: recorded against computed again, parts against wholes. */

import { SQUASH } from "./cells";
import type { Layer } from "./layer";
import type { Trace } from "./trace";

/** One thing that was looked at; `apart` is null where what it needs was not kept. */
export interface Sum {
  readonly where: string;
  readonly what: string;
  readonly apart: number | null;
  readonly note: string;
  readonly verdict: "fine" | "rounding" | "wrong" | "unseen";
}

/** How far two that should be the same may lie apart, in units of the array's largest number. */
const LIMIT = 1e-6;
/** Beyond the limit by this factor, float32's rounding is told from a mistake. */
const ROUNDING = 100;
/** Products of numbers that a check may cost; beyond, a share of the steps or rows is looked at. */
const MOST = 1.5e8;
/** Milliseconds at a stretch before the page gets its turn. */
const SLICE = 8;

function judged(where: string, what: string, apart: number | null, note = ""): Sum {
  if (apart === null) return { where, what, apart, note, verdict: "unseen" };
  const verdict = apart <= LIMIT ? "fine" : apart <= LIMIT * ROUNDING ? "rounding" : "wrong";
  return { where, what, apart, note, verdict };
}

/** All checks, one after the other, pausing so that the page stays quick; `stop` ends them early. */
export async function check(trace: Trace, stop: () => boolean = () => false): Promise<Sum[]> {
  const sums: Sum[] = [];
  for (const layer of trace.layers) {
    for (const look of [functions, carry, parts]) {
      const found = await run(look(layer), stop);
      if (found === undefined) return sums;
      if (found) sums.push(found);
    }
  }
  for (const [what, apart] of Object.entries(trace.facts.compared)) sums.push(judged("model", what, apart, "compared while it ran"));
  const intact = await trace.intact();
  if (intact !== null) sums.push(judged("file", "the bytes are those that were written", intact ? 0 : 1));
  return sums;
}

type Looking = Generator<undefined, Sum | null>;

async function run(looking: Looking, stop: () => boolean): Promise<Sum | null | undefined> {
  let began = performance.now();
  for (;;) {
    const { done, value } = looking.next();
    if (done) return value;
    if (performance.now() - began > SLICE) {
      await new Promise((go) => setTimeout(go, 0));
      if (stop()) return undefined;
      began = performance.now();
    }
  }
}

/** Every so many of `count` things, so that the whole costs at most `MOST`. */
function every(count: number, cost: number): number {
  return Math.max(1, Math.ceil((count * cost) / MOST));
}

/** The cell's functions over both halves of the pre-activations, beside the gates and states that were recorded. */
function* functions(layer: Layer): Looking {
  const what = "the cell's functions over both halves give the gates and states";
  const [x, W_xh, W_hh] = [layer.tensor("x"), layer.tensor("W_xh"), layer.tensor("W_hh")];
  const gated = layer.cell.gates.length > 1;
  if (layer.units || !x || !W_xh || !W_hh || !layer.has("h") || (gated && !layer.has("gates"))) return judged(layer.name, what, null);
  const { H, I, R } = layer;
  const gates = layer.cell.gates;
  const stride = every(layer.T * layer.B, gates.length * H * (I + R));
  const names = [...new Set([...gates, ...layer.cell.states])];
  const scale = new Map(names.map((name) => [name, 0]));
  const worst = new Map(names.map((name) => [name, 0]));
  const entering = new Float64Array(R);
  let seen = 0;
  let real = 0;
  for (let b = 0; b < layer.B; b++) {
    for (let t = 0; t < layer.length(b); t++, real++) {
      if (real % stride) continue;
      seen++;
      for (let k = 0; k < R; k++) entering[k] = layer.entering("h", t, b, k);
      const row = (t * layer.B + b) * I;
      const given = step(layer, x.data.subarray(row, row + I), entering, (u) => layer.entering("c", t, b, u));
      for (const [name, values] of given) {
        if (!scale.has(name) || (gated && name === "h" && layer.projected && values.length !== R)) continue;
        for (let u = 0; u < values.length; u++) {
          const recorded = layer.at(name, t, b, u);
          scale.set(name, Math.max(scale.get(name)!, Math.abs(recorded)));
          worst.set(name, Math.max(worst.get(name)!, Math.abs(recorded - values[u]!)));
        }
      }
      yield;
    }
  }
  const apart = Math.max(0, ...names.map((name) => worst.get(name)! / (scale.get(name)! || 1)));
  return judged(layer.name, what, apart, seen < real ? `at ${seen} of ${real} steps` : "");
}

/** One step of a layer, in float64: gates and new states by name. */
export function step(
  layer: Layer,
  x: Float32Array | Float64Array,
  h: Float64Array,
  c: (u: number) => number,
): Map<string, Float64Array> {
  const { H, cell } = layer;
  const given = new Map<string, Float64Array>(cell.gates.map((gate) => [gate, new Float64Array(H)]));
  const halves = (gate: string, u: number, state: Float64Array) => {
    const row = layer.row(gate, u);
    return [dot(layer, "W_xh", row, x) + bias(layer, "b_xh", row), dot(layer, "W_hh", row, state) + bias(layer, "b_hh", row)] as const;
  };
  const early = cell.name === "gru_reset_before" ? ["r", "z"] : cell.gates;
  const new_h = new Float64Array(H);
  for (const gate of early) {
    const values = given.get(gate)!;
    const squash = SQUASH[cell.squash[gate]!];
    for (let u = 0; u < H; u++) {
      const [xw, hw] = halves(gate, u, h);
      values[u] = squash(gate === "n" ? xw + given.get("r")![u]! * hw : xw + hw);
    }
  }
  if (cell.name === "gru_reset_before") {
    const rh = h.map((value, k) => value * given.get("r")![k]!);
    const n = given.get("n")!;
    for (let u = 0; u < H; u++) {
      const [xw, hw] = halves("n", u, rh);
      n[u] = Math.tanh(xw + hw);
    }
  }
  if (cell.name === "lstm") {
    const [i, f, g, o] = ["i", "f", "g", "o"].map((gate) => given.get(gate)!) as [Float64Array, Float64Array, Float64Array, Float64Array];
    const new_c = new Float64Array(H);
    for (let u = 0; u < H; u++) {
      new_c[u] = f[u]! * c(u) + i[u]! * g[u]!;
      new_h[u] = o[u]! * Math.tanh(new_c[u]!);
    }
    given.set("c", new_c);
    if (layer.projected) {
      const projected = new Float64Array(layer.R);
      for (let k = 0; k < layer.R; k++) projected[k] = dot(layer, "W_hr", k, new_h);
      return given.set("h", projected);
    }
    return given.set("h", new_h);
  }
  if (cell.gates.includes("z")) {
    const [z, n] = [given.get("z")!, given.get("n")!];
    for (let u = 0; u < H; u++) new_h[u] = (1 - z[u]!) * n[u]! + z[u]! * h[u]!;
    return given.set("h", new_h);
  }
  return given;
}

function dot(layer: Layer, name: string, row: number, values: Float32Array | Float64Array): number {
  const { data } = layer.tensor(name)!;
  const from = row * values.length;
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += data[from + k]! * values[k]!;
  return sum;
}

function bias(layer: Layer, name: string, row: number): number {
  return layer.tensor(name)?.data[row] ?? 0;
}

/** The gradient of h beside the sum of what it is of. */
function* carry(layer: Layer): Looking {
  const what = "∂L/∂h is what its output and the future send back";
  const [dh, out, future] = [layer.tensor("dh"), layer.tensor("dh_out"), layer.tensor("dh_carry")];
  if (!dh || !out || !future) return judged(layer.name, what, null);
  let scale = 0;
  let worst = 0;
  for (let k = 0; k < dh.data.length; k++) {
    scale = Math.max(scale, Math.abs(dh.data[k]!));
    worst = Math.max(worst, Math.abs(dh.data[k]! - out.data[k]! - future.data[k]!));
    if (k % 65536 === 0) yield;
  }
  return judged(layer.name, what, worst / (scale || 1));
}

/** The sum of all steps' parts in the gradient of a weight, beside that gradient; null in a window. */
function* parts(layer: Layer): Looking {
  const what = "the parts of all steps give the gradient of every weight";
  if (layer.wholeT > layer.T) return null;
  const tensors = ["da", "x", "dW_xh", "dW_hh", "h"].map((name) => layer.tensor(name));
  const gated = layer.cell.gates.length > 1;
  if (layer.units || tensors.some((tensor) => !tensor) || (gated && !layer.has("gates"))) return judged(layer.name, what, null);
  const [da, x, dW_xh, dW_hh] = tensors as [NonNullable<(typeof tensors)[0]>, NonNullable<(typeof tensors)[0]>, NonNullable<(typeof tensors)[0]>, NonNullable<(typeof tensors)[0]>, unknown];
  const { H, I, R, T, B } = layer;
  const rows = layer.cell.gates.length * H;
  const stride = every(rows, T * B * (I + R));
  let worst = 0;
  // What entered the recurrent product at every step: the state, and for the candidate that resets before, r h.
  const entered = new Float64Array(T * B * R);
  const reset = layer.cell.name === "gru_reset_before" ? new Float64Array(T * B * R) : entered;
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < layer.length(b); t++) {
      for (let k = 0; k < R; k++) {
        const at = (t * B + b) * R + k;
        entered[at] = layer.entering("h", t, b, k);
        if (reset !== entered) reset[at] = entered[at]! * layer.at("r", t, b, k);
      }
    }
    yield;
  }
  const scales = [largest(dW_xh.data), largest(dW_hh.data)] as const;
  for (let row = 0; row < rows; row += stride) {
    const gate = layer.cell.gates[Math.floor(row / H)]!;
    const unit = row % H;
    const ofX = new Float64Array(I);
    const ofH = new Float64Array(R);
    const read = gate === "n" && layer.cell.name === "gru_reset_before" ? reset : entered;
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < layer.length(b); t++) {
        const at = t * B + b;
        const d = da.data[at * rows + row]!;
        const dh = gate === "n" && layer.cell.name === "gru" ? d * layer.at("r", t, b, unit) : d;
        for (let j = 0; j < I; j++) ofX[j]! += d * x.data[at * I + j]!;
        for (let k = 0; k < R; k++) ofH[k]! += dh * read[at * R + k]!;
      }
    }
    for (let j = 0; j < I; j++) worst = Math.max(worst, Math.abs(ofX[j]! - dW_xh.data[row * I + j]!) / scales[0]);
    for (let k = 0; k < R; k++) worst = Math.max(worst, Math.abs(ofH[k]! - dW_hh.data[row * R + k]!) / scales[1]);
    yield;
  }
  return judged(layer.name, what, worst, stride > 1 ? `one row in ${stride}` : "");
}

function largest(values: Float32Array | Float64Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most || 1;
}
