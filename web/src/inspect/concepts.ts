/** What a unit may follow in a text, and which units do: by correlation, checked on the half that was not looked at. */

import type { Matrix } from "../trace/layer";

export interface Concept {
  readonly name: string;
  /** Its value at every step; the same at all where the input has nothing of it. */
  of(tokens: readonly string[]): number[];
}

/** A value that goes along the text: after each token, from that before. */
function running(name: string, next: (value: number, token: string) => number): Concept {
  return {
    name,
    of(tokens) {
      let value = 0;
      return tokens.map((token) => (value = next(value, token)));
    },
  };
}

function at(name: string, test: (token: string) => boolean): Concept {
  return { name, of: (tokens) => tokens.map((token) => (test(token) ? 1 : 0)) };
}

const LINE = /[\n↵]/;

export const CONCEPTS: readonly Concept[] = [
  running("inside quotes", (value, token) => (/["“”]/.test(token) ? 1 - value : value)),
  running("depth of brackets", (value, token) => Math.max(0, value + (token.match(/[([{]/g)?.length ?? 0) - (token.match(/[)\]}]/g)?.length ?? 0))),
  running("place in the line", (value, token) => (LINE.test(token) ? 0 : value + 1)),
  running("letters since the last space", (value, token) => (/[\s␣↵]/.test(token) ? 0 : value + 1)),
  at("a space or line end", (token) => /[\s␣↵]/.test(token)),
  at("a capital", (token) => /^\p{Lu}/u.test(token)),
  at("a vowel", (token) => /^[aeiouy]$/i.test(token)),
  at("a digit", (token) => /\d/.test(token)),
  at("punctuation", (token) => /^\p{P}+$/u.test(token)),
];

export interface Follower {
  readonly unit: number;
  /** Correlation over the first half of the steps, and over the second, which did not choose it. */
  readonly found: number;
  readonly held: number;
}

/** Units by how closely they follow a value, the closest first; empty where the value is the same throughout. */
export function followers(matrix: Matrix, value: ArrayLike<number>): Follower[] {
  const { steps, units } = matrix;
  const half = steps >> 1;
  const all: Follower[] = [];
  for (let unit = 0; unit < units; unit++) {
    all.push({ unit, found: correlation(matrix, unit, value, 0, half), held: correlation(matrix, unit, value, half, steps) });
  }
  return all.filter(({ found }) => !Number.isNaN(found)).sort((a, b) => Math.abs(b.found) - Math.abs(a.found));
}

/** Pearson's correlation over steps first … end - 1; NaN where one of both is the same throughout. */
function correlation({ values, units }: Matrix, unit: number, other: ArrayLike<number>, first: number, end: number): number {
  const count = end - first;
  let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
  for (let t = first; t < end; t++) {
    x += values[t * units + unit]! / count;
    y += other[t]! / count;
  }
  for (let t = first; t < end; t++) {
    const [dx, dy] = [values[t * units + unit]! - x, other[t]! - y];
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return xx > 1e-12 && yy > 1e-12 ? xy / Math.sqrt(xx * yy) : NaN;
}

export interface Specific {
  readonly unit: number;
  /** The share of pairs of a step inside and one outside in which the one inside is larger: 0.5 says nothing. */
  readonly auc: number;
}

/** Units by how well they tell steps first … last from all others. */
export function specific({ values, units, steps }: Matrix, first: number, last: number): Specific[] {
  const inside = last - first + 1;
  const outside = steps - inside;
  if (inside < 1 || outside < 1) return [];
  const order = Uint32Array.from({ length: steps }, (_, t) => t);
  return Array.from({ length: units }, (_, unit) => {
    const of = (t: number) => values[t * units + unit]!;
    order.sort((a, b) => of(a) - of(b));
    let ranks = 0;
    for (let k = 0; k < steps; ) {
      let end = k + 1;
      while (end < steps && of(order[end]!) === of(order[k]!)) end++;
      for (let each = k; each < end; each++) if (order[each]! >= first && order[each]! <= last) ranks += (k + end + 1) / 2;
      k = end;
    }
    return { unit, auc: (ranks - (inside * (inside + 1)) / 2) / (inside * outside) };
  }).sort((a, b) => Math.abs(b.auc - 0.5) - Math.abs(a.auc - 0.5));
}
