/** Numbers and tokens as they are shown. */

/** A number in about four digits, with a true minus. */
export function number(value: number): string {
  if (Number.isNaN(value)) return "not kept";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e5 ? scientific(value) : value.toPrecision(size >= 1000 ? Math.ceil(Math.log10(size)) : 4);
  return text.replace(/-/g, "−");
}

/** The same with a sign, as a summand is written. */
export function signed(value: number): string {
  return value < 0 || Number.isNaN(value) ? number(value) : `+${number(value)}`;
}

function scientific(value: number): string {
  const [digits, exponent] = value.toExponential(2).split("e") as [string, string];
  return `${digits}·10${superscript(Number(exponent))}`;
}

export function superscript(n: number): string {
  return String(n).replace(/[-\d]/g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]!);
}

const SIGNS: Readonly<Record<string, string>> = { " ": "␣", "\n": "↵", "\t": "⇥" };

/** A token with its white space to be seen, control characters as signs, not too long. */
export function token(text: string, most = 12): string {
  const seen = [...text].map((letter) => SIGNS[letter] ?? (/\p{C}/u.test(letter) ? "\ufffd" : letter));
  return seen.length > most ? `${seen.slice(0, most - 1).join("")}…` : seen.join("");
}

export function percent(share: number): string {
  return `${number(Number((100 * share).toPrecision(3)))} %`.replace(/\.?0+ %/, " %");
}
