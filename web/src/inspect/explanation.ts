/** What the explanation of a number is made of. */

import type { Key } from "./key";

/** Part of a product: how it is written, its number, and what to ask about next; null where nothing is known. */
export interface Factor {
  readonly sign: string;
  readonly value: number;
  readonly key: Key | null;
}

/** A summand: the product of its factors. */
export interface Term {
  readonly factors: readonly Factor[];
  readonly value: number;
  readonly group: string;
}

export interface Explanation {
  readonly key: Key;
  /** How it is written. */
  readonly sign: string;
  /** What it is, in words. */
  readonly words: string;
  /** As it was recorded; NaN where it was not kept. */
  readonly recorded: number;
  /** The formula in signs. */
  readonly formula: string;
  /** The function around the sum, or none. */
  readonly outer: { readonly sign: string; readonly of: (sum: number) => number } | null;
  /** All summands; empty where the number is given and follows from nothing here. */
  readonly terms: readonly Term[];
  /** Where it is given: from where. */
  readonly given: string;
  /** The Python that shows it. */
  readonly python: string;
}

export function term(group: string, ...factors: Factor[]): Term {
  return { factors, group, value: factors.reduce((product, factor) => product * factor.value, 1) };
}

/** A factor whose sign is made when it is read: of hundreds, a few are shown. */
class Unwritten implements Factor {
  constructor(
    private readonly made: () => string,
    readonly value: number,
    readonly key: Key | null,
  ) {}

  get sign(): string {
    return this.made();
  }
}

export function factor(sign: string | (() => string), value: number, key: Key | null): Factor {
  return typeof sign === "string" ? { sign, value, key } : new Unwritten(sign, value, key);
}

/** The sum of all terms. */
export function sum(explanation: Explanation): number {
  return explanation.terms.reduce((total, each) => total + each.value, 0);
}

/** The number computed again from its terms. */
export function computed(explanation: Explanation): number {
  const total = sum(explanation);
  return explanation.outer ? explanation.outer.of(total) : total;
}

/** The largest terms first, and what all the others add up to. */
export function ranked(terms: readonly Term[], most: number): { shown: Term[]; rest: number; left: number } {
  const order = [...terms].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const shown = order.slice(0, order.length <= most + 1 ? order.length : most);
  const others = order.slice(shown.length);
  return { shown, rest: others.reduce((total, each) => total + each.value, 0), left: others.length };
}
