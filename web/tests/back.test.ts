import { describe, expect, test } from "vitest";
import { back, fallsBelow, signal } from "../src/trace/back";
import { golden } from "./golden";

describe("the page's own way back gives the itemised matrix", () => {
  test.each(["lstm-stacked", "lstm-projected", "gru-ragged", "gru-reset", "rnn-tanh", "rnn-relu"])("%s", (name) => {
    const trace = golden(name);
    const layer = trace.last;
    const G = layer.tensor("G")!;
    for (let s = 0; s < layer.T; s++) {
      const squares = new Float64Array(layer.T);
      for (let b = 0; b < layer.B; b++) {
        if (!layer.runs(s, b)) continue;
        const delta = Float64Array.from({ length: layer.R }, (_, u) => layer.at("dh_out", s, b, u));
        back(layer, b, s, delta, 1).forEach((norm, t) => (squares[t]! += (norm || 0) ** 2));
      }
      squares.forEach((square, t) => expect(Math.sqrt(square)).toBeCloseTo(G.data[s * layer.T + t]!, 5));
    }
  });

  // The gradients of the tape itself, where the itemised matrix was not made: one loss, at the end.
  test("gru-reset-before", () => {
    const layer = golden("gru-reset-before").last;
    const last = layer.T - 1;
    const whole = Float64Array.from({ length: layer.R }, (_, u) => layer.at("dh", last, 0, u));
    const norms = back(layer, 0, last, whole, 1);
    const carried = Math.hypot(...Array.from({ length: layer.R }, (_, u) => layer.at("dh_carry", last - 1, 0, u)));
    expect(norms[last - 1]).toBeCloseTo(carried, 10);
  });
});

test("smaller recurrent weights let less through", () => {
  const layer = golden("rnn-tanh").last;
  const delta = Float64Array.from({ length: layer.R }, () => 1);
  const [half, whole] = [0.5, 1].map((scale) => back(layer, 0, layer.T - 1, delta, scale)[0]!);
  expect(half).toBeCloseTo(whole! * 0.5 ** (layer.T - 1), 10);
});

test("a signal that halves every step has a half-life of one", () => {
  const T = 12;
  const G = Float64Array.from({ length: T * T }, (_, k) => (k % T <= Math.floor(k / T) ? 0.5 ** (Math.floor(k / T) - (k % T)) : 0));
  const { median, lines } = signal(G, T, T, false);
  expect(lines).toHaveLength(T);
  expect(fallsBelow(median, 0.5)).toBeCloseTo(1, 12);
  expect(fallsBelow(median, 0.01)).toBeCloseTo(Math.log2(100), 12);
  expect(fallsBelow([1, 0.9], 0.5)).toBe(Infinity);
});
