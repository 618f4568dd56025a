import { describe, expect, test } from "vitest";
import { draw, engine, entropy, Reading, softmax, type Engine } from "../src/engine/engine";
import { readWeights } from "../src/trace/weights";
import { bytes, golden } from "./golden";

function made(name: string): Engine {
  const found = engine(golden(name), readWeights(bytes(`weights-${name}`)));
  if (typeof found === "string") throw new Error(found);
  return found;
}

describe("the step in the page is the library's", () => {
  test.each(["text-lstm", "text-gru"])("%s", (name) => {
    const trace = golden(name);
    const model = made(name);
    const y = trace.outputs("y", 0)!;
    const ids = model.weights.read!("to be, or not");
    expect(ids.slice(0, -1)).toEqual([...trace.arrays.get("ids")!.data].map(Number));
    let state = model.start();
    for (let t = 0; t < y.steps; t++) {
      state = model.step(state, ids[t]!);
      model.logits(state).forEach((value, k) => expect(Math.abs(value - y.values[t * y.units + k]!)).toBeLessThan(1e-5));
      for (const [l, layer] of trace.layers.entries()) {
        state.h[l]!.forEach((value, u) => expect(Math.abs(value - layer.at("h", t, 0, u))).toBeLessThan(1e-5));
      }
    }
  });
});

describe("a text that is typed", () => {
  const model = made("text-lstm");
  const ids = (text: string) => model.weights.read!(text);
  const after = (text: string) => {
    const reading = new Reading(model);
    reading.read(ids(text));
    return reading.next(reading.length);
  };

  test("costs one step a letter, and nothing to take one back", () => {
    const reading = new Reading(model);
    expect(reading.read(ids("to be"))).toBe(5);
    expect(reading.read(ids("to be,"))).toBe(1);
    expect(reading.read(ids("to b"))).toBe(0);
    expect(reading.next(4)).toEqual(after("to b"));
  });

  test("is read anew from where it was changed", () => {
    const reading = new Reading(model);
    reading.read(ids("to be or not"));
    expect(reading.read(ids("to be nr not"))).toBe(6);
    expect(reading.next(12)).toEqual(after("to be nr not"));
  });

  test("goes on from a state that was changed, and comes back when that is taken away", () => {
    const reading = new Reading(model);
    reading.read(ids("to be"));
    const before = reading.next(5);
    reading.poke(3, [{ layer: 1, unit: 2, value: 1 }]);
    expect(reading.state(3).h[1]![2]).toBe(1);
    expect(reading.next(5)).not.toEqual(before);
    reading.poke(3, []);
    expect(reading.next(5)).toEqual(before);
    reading.poke(0, [{ layer: 0, unit: 0, value: 0.5 }]);
    expect(reading.state(0).h[0]![0]).toBe(0.5);
  });

  test("has letters that the model does not know as one", () => {
    expect(ids("ß")).toEqual([0]);
  });
});

test("distributions", () => {
  const p = softmax(Float64Array.of(Math.log(3), 0));
  expect(p[0]).toBeCloseTo(0.75, 12);
  expect(entropy(Float64Array.of(0.5, 0.5, 0))).toBe(1);
  expect([...softmax(Float64Array.of(1, 2, 0), 0)]).toEqual([0, 1, 0]);
  expect(softmax(Float64Array.of(0, Math.log(4)), 2)[1]).toBeCloseTo(2 / 3, 12);
  expect([0, 0.74, 0.76, 0.999].map((chance) => draw(p, 0, chance))).toEqual([0, 0, 1, 1]);
  expect(draw(p, 1, 0.999)).toBe(0);
});

describe("where the page cannot run the model it says why", () => {
  const weights = readWeights(bytes("weights-text-gru"));
  test.each([
    ["lstm-both-directions", weights, /both directions/],
    ["gru-some-units", weights, /weights of the layers/],
    ["text-lstm", null, /not in this page/],
    ["lstm-projected", weights, /do not fit/],
  ] as const)("%s", (name, given, says) => {
    expect(engine(golden(name), given)).toMatch(says);
  });
});
