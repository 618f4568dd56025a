/** Pictures of matrices: a column a step, a row a unit, one dot a number, drawn once and then stretched. */

import type { Matrix } from "../trace/layer";
import type { Columns } from "./columns";
import { LEVELS, levels, type Ramp } from "./palette";

/** The colours of a matrix: a ramp between two numbers, the same over all of time. */
export interface Scale {
  readonly ramp: Ramp;
  readonly low: number;
  readonly high: number;
  /**
   * Whether numbers are shown by their powers of ten: of a ramp of magnitudes `low` and `high` are exponents; of one of
   * signs, `high` is the largest number, and what is `DECADES` powers of ten smaller has no colour.
   */
  readonly log: boolean;
}

/** Powers of ten that a scale of signed numbers shows on either side. */
export const DECADES = 4;

/** A scale around zero that holds all numbers, or from nothing to the largest for those that are never below. */
export function scaleOf(values: Float32Array | Float64Array, unit = false, log = false): Scale {
  if (unit) return { ramp: "sign", low: -1, high: 1, log: false };
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  const full = roundUp(most);
  return { ramp: "sign", low: -full, high: full, log };
}

/** Where a number lies on a scale, from 0 to 1. */
export function share(value: number, { ramp, low, high, log }: Scale): number {
  if (!log) return (value - low) / (high - low);
  const power = Math.log10(Math.max(Math.abs(value), 1e-300));
  if (ramp === "magnitude") return (power - low) / (high - low);
  const size = Math.min(1, Math.max(0, (power - Math.log10(high)) / DECADES + 1));
  return (1 + Math.sign(value) * size) / 2;
}

/** The next of 1, 2, 5, 10, … times a power of ten; 1 for zero. */
export function roundUp(value: number): number {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((m) => m * power).find((round) => round >= value * (1 - 1e-9)) ?? 10 * power;
}

/** Draws a matrix, rows in the given order of units. */
export function picture(matrix: Matrix, order: readonly number[], scale: Scale, dark: boolean): HTMLCanvasElement {
  const { steps, units, values } = matrix;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, steps);
  canvas.height = Math.max(1, order.length);
  const pen = canvas.getContext("2d")!;
  const image = pen.createImageData(canvas.width, canvas.height);
  const dots = new Uint32Array(image.data.buffer);
  const colours = new Uint32Array(levels(scale.ramp, dark).buffer);
  for (let row = 0; row < order.length; row++) {
    const unit = order[row]!;
    for (let t = 0; t < steps; t++) {
      const value = values[t * units + unit]!;
      // What is nothing at all has no colour on a scale of powers of ten.
      if (scale.log && scale.ramp === "magnitude" && !(value > 0)) continue;
      const level = Math.round(share(value, scale) * (LEVELS - 1));
      dots[row * steps + t] = colours[level >= 0 ? Math.min(level, LEVELS - 1) : 0]!;
    }
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

/** Stretches a picture over the columns of a canvas that is `height` high. */
export function stretch(target: HTMLCanvasElement, drawn: HTMLCanvasElement, columns: Columns, height: number): void {
  const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
  const [wide, high] = [Math.max(1, Math.round(columns.width * ratio)), Math.round(height * ratio)];
  if (target.width !== wide || target.height !== high) {
    target.width = wide;
    target.height = high;
  }
  const pen = target.getContext("2d")!;
  pen.imageSmoothingEnabled = drawn.height > high || drawn.width > wide;
  for (const { first, end, x, width } of columns.stretches) {
    pen.drawImage(drawn, first, 0, end - first, drawn.height, x * ratio, 0, width * ratio, high);
  }
}

/** Units side by side that do alike: from the one that varies most, each time the nearest that is left. */
export function byLikeness(matrix: Matrix): number[] {
  const { units, steps, values } = matrix;
  if (units < 3 || steps < 2) return byNumber(units);
  // Of many steps, 64 say enough.
  const picked = Math.min(64, steps);
  const rows = Array.from({ length: units }, (_, u) => {
    const row = Float64Array.from({ length: picked }, (_, k) => values[Math.floor((k * steps) / picked) * units + u]!);
    const mean = row.reduce((sum, value) => sum + value, 0) / picked;
    for (let k = 0; k < picked; k++) row[k]! -= mean;
    const length = Math.hypot(...row);
    return { row: length ? row.map((value) => value / length) : row, length };
  });
  const left = new Set(rows.keys());
  let at = rows.reduce((best, { length }, u) => (length > rows[best]!.length ? u : best), 0);
  const order = [at];
  left.delete(at);
  while (left.size) {
    let best = -1;
    let most = -Infinity;
    for (const u of left) {
      let alike = 0;
      const [one, other] = [rows[at]!.row, rows[u]!.row];
      for (let k = 0; k < picked; k++) alike += one[k]! * other[k]!;
      if (alike > most) [most, best] = [alike, u];
    }
    order.push(best);
    left.delete(best);
    at = best;
  }
  return order;
}

export function byNumber(units: number): number[] {
  return Array.from({ length: units }, (_, u) => u);
}

/** Units by how much they change, the liveliest first. */
export function byVariance(matrix: Matrix): number[] {
  const { units, steps, values } = matrix;
  const spread = byNumber(units).map((u) => {
    let [sum, squares] = [0, 0];
    for (let t = 0; t < steps; t++) {
      const value = values[t * units + u]!;
      sum += value;
      squares += value * value;
    }
    return squares / Math.max(1, steps) - (sum / Math.max(1, steps)) ** 2;
  });
  return byNumber(units).sort((a, b) => spread[b]! - spread[a]! || a - b);
}

/** The length of a gradient, or the root mean square of a state, at every step. */
export function lengths(matrix: Matrix, mean: boolean): Float64Array {
  const { units, steps, values } = matrix;
  return Float64Array.from({ length: steps }, (_, t) => {
    let squares = 0;
    for (let u = 0; u < units; u++) squares += values[t * units + u]! ** 2;
    return Math.sqrt(mean ? squares / Math.max(1, units) : squares);
  });
}
