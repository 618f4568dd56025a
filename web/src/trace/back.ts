/** The way of a gradient back through time over what a layer recorded, with its recurrent weights as they are or scaled. */

import type { Layer } from "./layer";

/** Products of numbers that one way back may cost; farther it is not followed. */
const MOST = 6e7;

/**
 * How long the gradient of a state is at every step before, when `delta` goes in at step `s`; NaN where it was not
 * followed. The states and gates stay those that were recorded: only the way back sees the scaled weights.
 */
export function back(layer: Layer, b: number, s: number, delta: ArrayLike<number>, scale: number): Float64Array {
  const { H, R, cell } = layer;
  const norms = new Float64Array(layer.length(b)).fill(NaN);
  const rows = cell.gates.length * H;
  const farthest = Math.max(8, Math.floor(MOST / (rows * R)));
  let dh = Float64Array.from(delta);
  let dc = new Float64Array(H);
  for (let t = s, steps = 0; layer.runs(t, b) && steps < farthest; t = layer.before(t), steps++) {
    norms[t] = Math.hypot(...dh);
    const { dhw, direct, next } = through(layer, b, t, dh, dc);
    dh = new Float64Array(R);
    dc = new Float64Array(H);
    if (layer.isReset(t, b)) continue;
    transposed(layer, "W_hh", dhw, dh, scale);
    for (let k = 0; k < R; k++) dh[k]! += direct[k] ?? 0;
    dc.set(next);
  }
  return norms;
}

/** Back through one step: the gradient of the recurrent half, what goes past it, and that of the cell before. */
function through(layer: Layer, b: number, t: number, dh: Float64Array, dc: Float64Array) {
  const { H, cell } = layer;
  const gate = (name: string, u: number) => layer.at(name, t, b, u);
  const dhw = new Float64Array(cell.gates.length * H);
  const direct = new Float64Array(H);
  const next = new Float64Array(H);
  let dm = dh;
  if (layer.projected) {
    dm = new Float64Array(H);
    transposed(layer, "W_hr", dh, dm, 1);
  }
  if (cell.name === "lstm") {
    for (let u = 0; u < H; u++) {
      const [i, f, g, o] = [gate("i", u), gate("f", u), gate("g", u), gate("o", u)];
      const tanh = Math.tanh(layer.at("c", t, b, u));
      const whole = dc[u]! + dm[u]! * o * (1 - tanh * tanh);
      dhw[u] = whole * g * i * (1 - i);
      dhw[H + u] = whole * layer.entering("c", t, b, u) * f * (1 - f);
      dhw[2 * H + u] = whole * i * (1 - g * g);
      dhw[3 * H + u] = dm[u]! * tanh * o * (1 - o);
      next[u] = whole * f;
    }
  } else if (cell.gates.length === 3) {
    const before = cell.name === "gru_reset_before";
    const drh = new Float64Array(H);
    for (let u = 0; u < H; u++) {
      const [z, n] = [gate("z", u), gate("n", u)];
      const da_n = dh[u]! * (1 - z) * (1 - n * n);
      dhw[H + u] = dh[u]! * (layer.entering("h", t, b, u) - n) * z * (1 - z);
      dhw[2 * H + u] = before ? da_n : da_n * gate("r", u);
      direct[u] = dh[u]! * z;
      drh[u] = before ? 0 : da_n * layer.at("hw_n", t, b, u);
    }
    if (before) {
      const only = new Float64Array(dhw.length);
      only.set(dhw.subarray(2 * H), 2 * H);
      transposed(layer, "W_hh", only, drh, 1);
      for (let u = 0; u < H; u++) direct[u]! += drh[u]! * gate("r", u);
    }
    for (let u = 0; u < H; u++) {
      const r = gate("r", u);
      dhw[u] = drh[u]! * (before ? layer.entering("h", t, b, u) : 1) * r * (1 - r);
      if (before) dhw[2 * H + u] = 0;
    }
  } else {
    for (let u = 0; u < H; u++) dhw[u] = dh[u]! * slope(cell.squash["h"]!, layer.at("h", t, b, u));
  }
  return { dhw, direct, next };
}

function slope(squash: string, h: number): number {
  if (squash === "tanh") return 1 - h * h;
  if (squash === "sigmoid") return h * (1 - h);
  return squash === "relu" && h <= 0 ? 0 : 1;
}

/** Adds Wᵀ v, scaled, to what is there. */
function transposed(layer: Layer, name: string, v: Float64Array, sum: Float64Array, scale: number): void {
  const { data } = layer.tensor(name)!;
  const columns = sum.length;
  for (let row = 0; row < v.length; row++) {
    const by = v[row]! * scale;
    if (by === 0) continue;
    const from = row * columns;
    for (let k = 0; k < columns; k++) sum[k]! += by * data[from + k]!;
  }
}

/** How much of each loss's gradient is left by distance: one line a loss step, and the median of all. */
export interface Signal {
  readonly lines: readonly { s: number; left: Float64Array }[];
  readonly median: Float64Array;
}

/** Of the itemised matrix, whose first column is step `first`, as `unrolled.traces.through_time.signal` has it. */
export function signal(G: Float32Array | Float64Array, S: number, T: number, reverse: boolean, first = 0): Signal {
  const lines: { s: number; left: Float64Array }[] = [];
  for (let s = 0; s < S; s++) {
    const start = S === 1 && T > 1 ? (reverse ? 0 : T - 1) : s - first;
    if (start < 0 || start >= T) continue;
    const own = G[s * T + start]!;
    if (!(own > 0)) continue;
    const far = reverse ? T - start : start + 1;
    lines.push({ s: start, left: Float64Array.from({ length: far }, (_, d) => G[s * T + (reverse ? start + d : start - d)]! / own) });
  }
  return { lines, median: median(lines.map(({ left }) => left), T) };
}

export function median(lines: readonly Float64Array[], T: number): Float64Array {
  return Float64Array.from({ length: T }, (_, d) => {
    const there = lines.filter((left) => d < left.length && !Number.isNaN(left[d])).map((left) => left[d]!).sort((a, b) => a - b);
    const middle = there.length >> 1;
    if (there.length === 0) return NaN;
    return there.length % 2 ? there[middle]! : (there[middle - 1]! + there[middle]!) / 2;
  });
}

/** The first distance at which the signal is `share` or less, between whole steps on a log scale; else infinite. */
export function fallsBelow(left: ArrayLike<number>, share: number): number {
  for (let d = 0; d < left.length; d++) {
    if (!(left[d]! <= share)) continue;
    if (d === 0 || !left[d] || !Number.isFinite(left[d - 1]!)) return d;
    const [before, after] = [Math.log(left[d - 1]!), Math.log(left[d]!)];
    return d - 1 + (before - Math.log(share)) / (before - after);
  }
  return Infinity;
}
