/** The cells as data: gates, states, and how gates and states follow from pre-activations. */

export type Squash = "sigmoid" | "tanh" | "relu" | "identity";

export interface Cell {
  readonly name: string;
  readonly title: string;
  /** Gates in the order of the weights' rows. */
  readonly gates: readonly string[];
  readonly states: readonly string[];
  /** The function each gate is squashed by. */
  readonly squash: Readonly<Record<string, Squash>>;
  /** What each gate is called in words. */
  readonly words: Readonly<Record<string, string>>;
}

function rnn(name: string, title: string, squash: Squash): Cell {
  return { name, title, gates: ["h"], states: ["h"], squash: { h: squash }, words: { h: "state" } };
}

function gru(name: string, title: string): Cell {
  return {
    name,
    title,
    gates: ["r", "z", "n"],
    states: ["h"],
    squash: { r: "sigmoid", z: "sigmoid", n: "tanh" },
    words: { r: "reset gate", z: "update gate", n: "candidate" },
  };
}

const CELLS: readonly Cell[] = [
  rnn("rnn_tanh", "RNN, tanh", "tanh"),
  rnn("rnn_relu", "RNN, relu", "relu"),
  rnn("rnn_sigmoid", "RNN, σ", "sigmoid"),
  rnn("rnn_identity", "RNN, linear", "identity"),
  {
    name: "lstm",
    title: "LSTM",
    gates: ["i", "f", "g", "o"],
    states: ["h", "c"],
    squash: { i: "sigmoid", f: "sigmoid", g: "tanh", o: "sigmoid" },
    words: { i: "input gate", f: "forget gate", g: "candidate", o: "output gate" },
  },
  gru("gru", "GRU"),
  gru("gru_reset_before", "GRU, reset before the product"),
];

export function cellNamed(name: string): Cell | undefined {
  return CELLS.find((cell) => cell.name === name);
}

/** The logistic function, exact in both tails. */
export function sigmoid(a: number): number {
  const e = Math.exp(-Math.abs(a));
  return (a >= 0 ? 1 : e) / (1 + e);
}

export const SQUASH: Readonly<Record<Squash, (a: number) => number>> = {
  sigmoid,
  tanh: Math.tanh,
  relu: (a) => Math.max(a, 0),
  identity: (a) => a,
};

/** The slope of a function in terms of what it gave. */
export const SLOPE: Readonly<Record<Squash, (v: number) => number>> = {
  sigmoid: (v) => v * (1 - v),
  tanh: (v) => 1 - v * v,
  relu: (v) => (v > 0 ? 1 : 0),
  identity: () => 1,
};

/** How functions and their slopes are written; `v` is what the function gave. */
export const WRITTEN: Readonly<Record<Squash, { f: string; slope: (v: string) => string }>> = {
  sigmoid: { f: "σ", slope: (v) => `${v}(1 − ${v})` },
  tanh: { f: "tanh", slope: (v) => `(1 − ${v}²)` },
  relu: { f: "relu", slope: (v) => `[${v} > 0]` },
  identity: { f: "", slope: () => "1" },
};

/** Whether every unit's state lies between -1 and 1. */
export function bounded(cell: Cell): boolean {
  return cell.name !== "rnn_relu" && cell.name !== "rnn_identity";
}
