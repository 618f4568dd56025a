/** An explanation as LaTeX. */

import { computed, ranked, sum, type Explanation } from "./explanation";

const LETTERS: Readonly<Record<string, string>> = { σ: "\\sigma", "∂": "\\partial ", "·": "\\cdot ", "−": "-", Σ: "\\sum ", "²": "^2", "→": "\\to ", "₋": "-" };

/** A sign in LaTeX: subscripts in digits become indices. */
export function sign(text: string): string {
  return text
    .replace(/[₀-₉]+/g, (digits) => `_{${[...digits].map((digit) => "₀₁₂₃₄₅₆₇₈₉".indexOf(digit)).join("")}}`)
    .replace(/[ⱼₖₜ]/g, (letter) => `_{${{ ⱼ: "j", ₖ: "k", ₜ: "t" }[letter]!}}`)
    .replace(/_([a-z]{2,})/g, (_, word: string) => `_{${word}}`)
    .replace(/[σ∂·−Σ²→]/g, (letter) => LETTERS[letter]!)
    .replace(/tanh/g, "\\tanh");
}

function amount(value: number): string {
  const [digits, exponent] = value.toPrecision(4).split("e") as [string, string | undefined];
  return exponent === undefined ? digits : `${digits} \\cdot 10^{${Number(exponent)}}`;
}

export function latex(of: Explanation): string {
  if (of.terms.length === 0) return `${sign(of.sign)} = ${amount(of.recorded)}`;
  const { shown, rest, left } = ranked(of.terms, 8);
  const terms = shown.map((term) => `${term.value < 0 ? "" : "+"}${amount(term.value)}`);
  if (left) terms.push(`${rest < 0 ? "" : "+"}\\underbrace{${amount(rest)}}_{\\text{${left} more}}`);
  const whole = `${terms.join(" ").replace(/^\+/, "")} = ${amount(sum(of))}`;
  const outer = of.outer ? ` \\quad ${sign(of.outer.sign)} = ${amount(computed(of))}` : "";
  return `${sign(of.sign)}: \\quad ${whole}${outer}`;
}
