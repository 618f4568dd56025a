import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { check } from "../src/trace/check";
import { FormatError } from "../src/trace/safetensors";
import { Trace } from "../src/trace/trace";
import { bytes, golden, names } from "./golden";

const WORKED = new URL("../../tests/golden/trace-v1.safetensors", import.meta.url);

test("the numbers that can be worked out on paper", () => {
  const trace = Trace.read(new Uint8Array(readFileSync(WORKED)));
  const [layer] = trace.layers;
  expect(trace.tokens(0)).toEqual(["to", "be"]);
  expect(layer!.cell.name).toBe("rnn_sigmoid");
  expect(layer!.at("h", 0, 0, 0)).toBeCloseTo(0.75, 12);
  expect(layer!.entering("h", 1, 0, 0)).toBe(layer!.at("h", 0, 0, 0));
  expect(layer!.matrix("h", 0)!.values).toHaveLength(2);
});

describe("adds up", () => {
  test.each(names())("%s", async (name) => {
    const sums = await check(golden(name));
    expect(sums.filter(({ verdict }) => verdict === "wrong")).toEqual([]);
    const seen = sums.filter(({ verdict }) => verdict !== "unseen").map(({ where }) => where);
    expect(seen).toContain("file");
    if (!name.includes("units") && !name.includes("alone")) expect(seen).toContain("l0");
  });

  test.each(["W_hh", "gates", "dh_carry", "dW_xh"])("not where %s was altered", async (array) => {
    const trace = golden("lstm-stacked");
    const tensor = trace.layers[0]!.tensor(array)!;
    tensor.data[3]! += 0.01;
    const wrong = (await check(trace)).filter(({ verdict }) => verdict === "wrong");
    expect(wrong.map(({ where }) => where)).toEqual(expect.arrayContaining(["l0", "file"]));
  });
});

describe("a file that is no good is refused in words", () => {
  const whole = () => bytes("gru-ragged");
  const altered = (from: string, to: string) => {
    const text = new TextDecoder("latin1").decode(whole());
    return Uint8Array.from(text.replace(from, to), (letter) => letter.charCodeAt(0));
  };
  test.each<[string, () => Uint8Array, RegExp]>([
    ["empty", () => new Uint8Array(), /cut short/],
    ["cut in the header", () => whole().slice(0, 100), /cut short/],
    ["cut in the arrays", () => whole().slice(0, -1), /described|cut short/],
    ["longer than it says", () => Uint8Array.from([...whole(), 0]), /more than it says/],
    ["of something else", () => altered("unrolled-trace", "unrolled-xxxxx"), /no trace/],
    ["of a later version", () => altered('"version":"1"', '"version":"9"'), /version 9/],
    ["a header that is no JSON", () => altered("{", "["), /cannot be read/],
    ["of another kind of number", () => altered('"F32"', '"BF1"'), /must be of F32/],
    ["with a shape that does not fit", () => altered('"shape":[6,2,4]', '"shape":[6,2,5]'), /described/],
    ["with a layer of an unknown cell", () => altered('\\"cell\\": \\"gru\\"', '\\"cell\\": \\"grx\\"'), /does not know: grx/],
  ])("%s", (_, made, says) => {
    expect(() => Trace.read(made())).toThrow(FormatError);
    expect(() => Trace.read(made())).toThrow(says);
  });
});

/** The file of a trace with other facts. */
function altered(name: string, facts: object): Uint8Array {
  const whole = bytes(name);
  const end = 8 + Number(new DataView(whole.buffer, whole.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(whole.subarray(8, end)));
  const manifest = JSON.parse(header.__metadata__.manifest);
  Object.assign(manifest.facts, facts);
  header.__metadata__.manifest = JSON.stringify(manifest);
  const text = new TextEncoder().encode(JSON.stringify(header).padEnd(end + 500));
  const size = new Uint8Array(new BigUint64Array([BigInt(text.length)]).buffer);
  return Uint8Array.from([...size, ...text, ...whole.subarray(end)]);
}

test("what is not finite is null in the facts, and does not add up", async () => {
  const facts = { loss: null, left_out: { loss: "not finite: nan" }, compared: { gradients: null } };
  const trace = Trace.read(altered("rnn-tanh", facts));
  expect(trace.facts.loss).toBeNull();
  expect(trace.facts.left_out["loss"]).toBe("not finite: nan");
  const compared = (await check(trace)).find(({ what }) => what === "gradients");
  expect(compared).toMatchObject({ apart: NaN, verdict: "wrong" });
});
