import { describe, expect, test } from "vitest";
import { computed } from "../src/inspect/explanation";
import { key, parse, write } from "../src/inspect/key";
import { Scene } from "../src/inspect/scene";
import type { Trace } from "../src/trace/trace";
import { golden, names } from "./golden";

/** Every quantity of a layer that can be asked about. */
function quantities(trace: Trace, index: number): string[] {
  const { gates, states } = trace.layer(index).cell;
  return [...states, ...gates, ...gates.map((gate) => `a:${gate}`), "dh", "dh_out", "dh_carry", "dc", ...gates.map((gate) => `da:${gate}`), "dx"];
}

describe("every number follows from its terms", () => {
  test.each(names())("%s", (name) => {
    const trace = golden(name);
    let explained = 0;
    for (let b = 0; b < trace.B; b++) {
      const scene = new Scene(trace, b);
      for (const layer of trace.layers) {
        for (const q of new Set(quantities(trace, layer.index))) {
          for (let t = 0; t < layer.length(b); t++) {
            for (let u = 0; u < (q === "dx" ? layer.I : q === "h" ? layer.R : layer.H); u++) {
              if (q.startsWith("dh") && u >= layer.R) continue;
              const made = scene.explain(key(q, layer.index, t, u));
              if (made.terms.length === 0) continue;
              explained++;
              const scale = Math.max(1, ...made.terms.map(({ value }) => Math.abs(value)));
              expect(Math.abs(computed(made) - made.recorded), `${made.sign} of ${name}`).toBeLessThan(3e-6 * scale);
            }
          }
        }
      }
    }
    if (!/units|alone/.test(name)) expect(explained).toBeGreaterThan(100);
    else expect(explained).toBe(0);
  });

  test.each(["lstm-both-directions", "gru-reset", "gru-reset-before", "rnn-tanh"])("weights of %s", (name) => {
    const trace = golden(name);
    const scene = new Scene(trace, 0);
    for (const layer of trace.layers) {
      for (const weight of ["W_xh", "W_hh", "b_xh", "b_hh"]) {
        for (let row = 0; row < layer.cell.gates.length * layer.H; row++) {
          const made = scene.explain(key(`${weight}:${row}`, layer.index, 0, weight.startsWith("W") ? row % 3 : 0));
          expect(computed(made)).toBeCloseTo(made.recorded, 4);
          expect(made.recorded).not.toBeNaN();
        }
      }
    }
  });
});

test("a term leads to the number it is of, step by step to the beginning", () => {
  const trace = golden("lstm-stacked");
  const scene = new Scene(trace, 0);
  let at = key("h", 1, 5, 2);
  const seen: number[] = [];
  for (let k = 0; k < 60; k++) {
    const state = scene.explain(at).terms.flatMap(({ factors }) => factors).find(({ key: of }) => of && of.t < at.t && of.layer === at.layer);
    const other = scene.explain(at).terms.flatMap(({ factors }) => factors).find(({ key: of }) => of && "cf".includes(of.q));
    const next = state?.key ?? other?.key;
    if (!next) break;
    expect(scene.value(next)).not.toBeNaN();
    at = next;
    seen.push(at.t);
  }
  expect(Math.min(...seen)).toBe(-1);
  expect(scene.explain(at).given).toMatch(/before the first step/);
});

test("an input of the layer above is the output of the one below, and so are their gradients", () => {
  const scene = new Scene(golden("lstm-both-directions"), 0);
  const made = scene.explain(key("x", 2, 1, 5));
  expect(made.terms).toHaveLength(1);
  expect(made.terms[0]!.factors[0]!.key).toEqual(key("h", 1, 1, 1));
  const back = scene.explain(key("dh_out", 0, 1, 2));
  expect(back.terms.flatMap(({ factors }) => factors.map(({ key: of }) => of?.layer))).toEqual([2, 3]);
});

describe("effects", () => {
  test.each(["lstm-stacked", "gru-reset-before", "gru-ragged", "rnn-tanh", "lstm-projected"])("of %s are the terms elsewhere", (name) => {
    const trace = golden(name);
    const scene = new Scene(trace, 0);
    let seen = 0;
    for (const q of ["h", "c", "x", ...trace.layer(0).cell.gates, "dh", "dc"]) {
      for (const effect of scene.effects(key(q, 0, 1, 1), 99)) {
        const there = scene.explain(effect.key);
        const own = there.terms.filter(({ factors }) => factors.some(({ key: of }) => of && write(of) === `${q}.0.1.1`));
        const inside = there.terms.flatMap(({ factors }) => factors).some(({ key: of }) => of?.q === "hw_n");
        if (!inside) expect(own.map(({ value }) => value)).toContainEqual(effect.value);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(5);
  });
});

test("keys go into links and back", () => {
  for (const of of [key("a:f", 0, 3, 17), key("h", 2, -1, 0), key("W_hh:12", 1, 0, 4), key("loss", -1, 5, 0)]) {
    expect(parse(write(of))).toEqual(of);
  }
  for (const wrong of ["", "h", "h.1.2", "<img>.0.0.0", "h.0.0.-1", "h.0.0.99999999999"]) expect(parse(wrong)).toBeUndefined();
});

/** The same trace with other arrays and facts. */
function changed(trace: Trace, arrays: Readonly<Record<string, Float32Array>>, facts: object = {}): Trace {
  const own = new Map(trace.arrays);
  for (const [name, data] of Object.entries(arrays)) own.set(name, { ...own.get(name)!, data });
  return Object.assign(Object.create(Object.getPrototypeOf(trace)), trace, { arrays: own, facts: { ...trace.facts, ...facts }, seen: new Map() });
}

test("a probability is of one of all, or of each by itself", () => {
  const trace = golden("text-gru");
  const of = key("p", -1, 3, 2);
  expect(new Scene(trace, 0).explain(of).outer?.sign).toBe("exp");
  const y = trace.tensor("y")!.data;
  const keys = changed(trace, { p: Float32Array.from(y, (logit) => 1 / (1 + Math.exp(-logit))) });
  const made = new Scene(keys, 0).explain(of);
  expect(made.outer?.sign).toBe("σ");
  expect(computed(made)).toBeCloseTo(made.recorded, 5);
});

test("outputs and losses of other steps than the layers' are not shown at these", () => {
  const trace = golden("text-gru");
  const apart = changed(trace, {}, { apart: true });
  expect(trace.outputs("p", 0)).toBeDefined();
  expect(trace.losses(0)).toBeDefined();
  expect(apart.outputs("p", 0)).toBeUndefined();
  expect(apart.losses(0)).toBeUndefined();
});
