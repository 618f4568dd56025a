/** One call of a recurrent layer in one direction: its arrays by name, and where they stand in time. */

import { cellNamed, type Cell } from "./cells";
import { FormatError, real, type Tensor } from "./safetensors";

export type Reals = Tensor<Float32Array | Float64Array>;

/** Of one array, the numbers of a sequence: `values[t * units + u]`. */
export interface Matrix {
  readonly values: Float32Array | Float64Array;
  readonly steps: number;
  readonly units: number;
}

/** What the facts say of a layer. */
export interface LayerFacts {
  readonly name: string;
  readonly module: string;
  readonly number: number;
  readonly call: number;
  readonly cell: string;
  readonly direction: string;
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
  readonly first_step: number;
  readonly whole_T: number;
}

/** Steps whose rows stand one after the other: the arrays with an axis of time, and no row more. */
const OF_STATES = new Set(["h", "c"]);

export class Layer {
  readonly name: string;
  readonly cell: Cell;
  readonly reverse: boolean;
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
  /** Size of h: H, or that of a projection. */
  readonly R: number;
  readonly projected: boolean;
  readonly firstStep: number;
  readonly wholeT: number;

  private readonly own = new Map<string, Reals>();
  private readonly lengths: Tensor | undefined;
  private readonly reset: Tensor | undefined;

  constructor(
    readonly index: number,
    readonly facts: LayerFacts,
    arrays: ReadonlyMap<string, Tensor>,
    /** The hidden units that were kept, or null for all. */
    readonly units: readonly number[] | null,
  ) {
    this.name = facts.name;
    const cell = cellNamed(facts.cell);
    if (!cell) throw new FormatError(`The layer ${facts.name} has a cell that this page does not know: ${facts.cell}.`);
    this.cell = cell;
    this.reverse = facts.direction === "reverse";
    this.T = facts.T;
    this.B = facts.B;
    this.I = facts.I;
    this.H = facts.H;
    this.firstStep = facts.first_step;
    this.wholeT = facts.whole_T;
    for (const [name, tensor] of arrays) {
      if (!name.startsWith(`${this.name}/`)) continue;
      const short = name.slice(this.name.length + 1);
      if (short !== "lengths" && short !== "reset") this.own.set(short, real(tensor, name));
    }
    this.lengths = arrays.get(`${this.name}/lengths`);
    this.reset = arrays.get(`${this.name}/reset`);
    this.projected = this.has("W_hr");
    const h = this.tensor("h") ?? this.tensor("dh");
    this.R = h ? (h.shape[2] ?? this.H) : this.H;
  }

  /** Whether an array was kept. */
  has(name: string): boolean {
    return this.own.has(name);
  }

  /** An array of real numbers; undefined where it was not kept. */
  tensor(name: string): Reals | undefined {
    return this.own.get(name);
  }

  /** Real steps of a sequence among those that were kept. */
  length(b: number): number {
    if (!this.lengths) return this.T;
    return Math.min(this.T, Math.max(0, Number(this.lengths.data[b] ?? 0) - this.firstStep));
  }

  /** Whether the states are cleared before a step. */
  isReset(t: number, b: number): boolean {
    return this.reset !== undefined && Number(this.reset.data[t * this.B + b]) === 1;
  }

  /** The step that runs before a step, and the one after; -1 or `length` where there is none. */
  before(t: number): number {
    return this.reverse ? t + 1 : t - 1;
  }

  after(t: number): number {
    return this.reverse ? t - 1 : t + 1;
  }

  runs(t: number, b: number): boolean {
    return t >= 0 && t < this.length(b);
  }

  /** What a unit is called: its number in the layer. */
  unitName(u: number): number {
    return this.units?.[u] ?? u;
  }

  /** How many units an array shows. */
  unitCount(name: string): number {
    const tensor = this.of(name);
    return tensor ? (tensor.shape[tensor.shape.length - 1] ?? 0) : 0;
  }

  /**
   * One number of a quantity at a step: a state that leaves it, a gate, `da:gate`, or any array with an axis of
   * time. NaN where it was not kept.
   */
  at(quantity: string, t: number, b: number, u: number): number {
    const tensor = this.of(quantity);
    if (!tensor) return NaN;
    const row = OF_STATES.has(quantity) && !this.reverse ? t + 1 : t;
    return element(tensor, row, b, this.gateOf(quantity), u);
  }

  /** A state that enters a step: zero where it is cleared. */
  entering(state: string, t: number, b: number, u: number): number {
    if (this.isReset(t, b)) return 0;
    const tensor = this.tensor(state);
    if (!tensor) return NaN;
    if (this.reverse && t + 1 === this.length(b) && t + 1 < this.T) {
      const initial = this.tensor(`${state}_0`);
      return initial ? element(initial, b, 0, -1, u, true) : NaN;
    }
    return element(tensor, this.reverse ? t + 1 : t, b, -1, u);
  }

  /** A quantity over all real steps of a sequence; undefined where it was not kept. */
  matrix(quantity: string, b: number): Matrix | undefined {
    const tensor = this.of(quantity);
    if (!tensor) return undefined;
    const units = tensor.shape[tensor.shape.length - 1] ?? 0;
    const steps = this.length(b);
    const values = new (tensor.data instanceof Float64Array ? Float64Array : Float32Array)(steps * units);
    const first = OF_STATES.has(quantity) && !this.reverse ? 1 : 0;
    const gate = this.gateOf(quantity);
    for (let t = 0; t < steps; t++) {
      const from = offset(tensor.shape, t + first, b, gate);
      values.set(tensor.data.subarray(from, from + units), t * units);
    }
    return { values, steps, units };
  }

  /** An element of a weight: `W_xh`, `W_hh`, `W_hr` by row and column, a bias by row. */
  weight(name: string, row: number, column = 0): number {
    const tensor = this.tensor(name);
    return tensor ? (tensor.data[row * (tensor.shape[1] ?? 1) + column] ?? NaN) : NaN;
  }

  /** The row of a gate's unit in the weights. */
  row(gate: string, u: number): number {
    return this.cell.gates.indexOf(gate) * this.H + u;
  }

  /** The quantities with an axis of time and units that were kept, forward ones and gradients. */
  quantities(): { forward: string[]; backward: string[] } {
    const gates = this.cell.gates.filter((gate) => gate !== "h");
    const kept = (names: string[]) => names.filter((name) => this.of(name) !== undefined);
    return {
      forward: kept([...this.cell.states, ...gates, "x"]),
      backward: kept(["dh", ...this.cell.states.slice(1).map((s) => `d${s}`), ...this.cell.gates.map((g) => `da:${g}`), "dx"]),
    };
  }

  /** The tensor that a quantity is read from. */
  private of(quantity: string): Reals | undefined {
    if (quantity.startsWith("da:")) return this.tensor("da");
    if (quantity !== "h" && this.cell.gates.includes(quantity)) return this.tensor("gates");
    return this.tensor(quantity);
  }

  private gateOf(quantity: string): number {
    if (quantity.startsWith("da:")) return this.cell.gates.indexOf(quantity.slice(3));
    return quantity !== "h" && this.cell.gates.includes(quantity) ? this.cell.gates.indexOf(quantity) : -1;
  }
}

/** Where the units of a row begin: shape [T, B, units] or [T, B, G, units]. */
function offset(shape: readonly number[], row: number, b: number, gate: number): number {
  const units = shape[shape.length - 1] ?? 0;
  const gates = gate >= 0 ? (shape[2] ?? 1) : 1;
  return ((row * (shape[1] ?? 1) + b) * gates + Math.max(gate, 0)) * units;
}

function element(tensor: Reals, row: number, b: number, gate: number, u: number, flat = false): number {
  const units = tensor.shape[tensor.shape.length - 1] ?? 0;
  const from = flat ? row * units : offset(tensor.shape, row, b, gate);
  return tensor.data[from + u] ?? NaN;
}
