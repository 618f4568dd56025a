/**
 * What can be asked about: one number of a trace.
 *
 * `q` is a quantity: of a layer and a step, a state `h c`, a gate `i f g o r z n`, its pre-activation `a:f`, an input
 * `x`, a gradient `dh dh_out dh_carry dc da:f dx`, what stands between `m dm hw_n drh`; of the model and a step `y p
 * loss dy`; or a weight by row `W_hh:12`, with the column as unit.
 */
export interface Key {
  readonly q: string;
  /** The layer's place in the trace; -1 for the whole model. */
  readonly layer: number;
  /** The step, from the first that was kept; -1 (in a reverse layer, the length) for the initial state. */
  readonly t: number;
  readonly u: number;
}

export function key(q: string, layer: number, t: number, u: number): Key {
  return { q, layer, t, u };
}

export function same(one: Key, other: Key): boolean {
  return one.q === other.q && one.layer === other.layer && one.t === other.t && one.u === other.u;
}

/** A key in a link. */
export function write({ q, layer, t, u }: Key): string {
  return `${q}.${layer}.${t}.${u}`;
}

/** The key of a link; undefined where it is none. */
export function parse(text: string): Key | undefined {
  const match = /^([A-Za-z_:0-9]+)\.(-?\d{1,9})\.(-?\d{1,9})\.(\d{1,9})$/.exec(text);
  return match ? key(match[1]!, Number(match[2]), Number(match[3]), Number(match[4])) : undefined;
}

export function isGradient(q: string): boolean {
  return q.startsWith("d");
}

export function isWeight(q: string): boolean {
  return /^[Wb]_/.test(q);
}

/** The name of a weight and its row, of a key `W_hh:12`. */
export function weightOf(q: string): { name: string; row: number } {
  const [name, row] = q.split(":");
  return { name: name!, row: Number(row) };
}

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";

export function subscript(n: number): string {
  return String(n).replace(/\d/g, (digit) => SUBSCRIPTS[Number(digit)]!);
}

/** How a quantity is written: `∂L/∂h`, `a_f`. */
export function symbol(q: string): string {
  const names: Record<string, string> = {
    loss: "L",
    dh_out: "∂L/∂h from the output",
    dh_carry: "∂L/∂h from the future",
    dm: "∂L/∂m",
    drh: "∂L/∂(r h)",
    hw_n: "hw_n",
  };
  if (q in names) return names[q]!;
  if (q.startsWith("da:")) return `∂L/∂a_${q.slice(3)}`;
  if (q.startsWith("a:")) return `a_${q.slice(2)}`;
  return isGradient(q) ? `∂L/∂${q.slice(1)}` : q;
}

/** A key in words for a reader: `h₁₇(6)`, `∂L/∂h₁₇(6)`; steps as the run counts them. */
export function named(of: Key, firstStep: number, unit: number): string {
  if (isWeight(of.q)) {
    const { name, row } = weightOf(of.q);
    return name.startsWith("b") ? `${name}[${row}]` : `${name}[${row}, ${of.u}]`;
  }
  const step = of.t + firstStep;
  if (of.q === "loss") return `L(${step})`;
  const sign = symbol(of.q);
  const [head, ...words] = sign.split(" ");
  return [`${head}${subscript(unit)}(${step})`, ...words].join(" ");
}
