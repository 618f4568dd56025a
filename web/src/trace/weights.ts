/** What a language model has besides its recurrent layers: the vectors of its tokens, and the way to the logits. */

import type { Head } from "../inspect/scene";
import { FormatError, parseObject, read, real } from "./safetensors";

export interface Weights {
  readonly head: Head;
  /** The vector of a token. */
  vector(id: number): Float32Array | Float64Array;
  /** Every token in a printable form, by id. */
  readonly vocabulary: readonly string[];
  /** The ids of a text, where the page can make them; null where only Python can. */
  readonly read: ((text: string) => number[]) | null;
  /** What a token adds to a text. */
  text(id: number): string;
}

const VERSION = 1;

/** Reads what `unrolled.explorer.weights` wrote. */
export function readWeights(bytes: Uint8Array): Weights {
  const { metadata, arrays } = read(bytes);
  if (metadata["format"] !== "unrolled-weights" || Number(metadata["version"]) > VERSION) {
    throw new FormatError("The weights in this page are of a kind that it does not know.");
  }
  const tensor = (name: string) => {
    const found = arrays.get(name);
    if (!found) throw new FormatError(`The weights in this page lack ${name}.`);
    return real(found, name);
  };
  const [E, W_hy, b_y] = [tensor("E"), tensor("W_hy"), tensor("b_y")];
  const about = parseObject(metadata["about"] ?? "", "The weights' description");
  const vocabulary = Array.isArray(about["vocabulary"]) ? about["vocabulary"].map(String) : [];
  const texts = Array.isArray(about["texts"]) ? about["texts"].map(String) : null;
  const unknown = Number(about["unknown"] ?? 0);
  const size = W_hy.shape[1] ?? 0;
  const ids = new Map(texts?.map((text, id) => [text, id]));
  const width = E.shape[1] ?? 0;
  return {
    head: { size, weight: (k, u) => W_hy.data[k * size + u] ?? NaN, bias: (k) => b_y.data[k] ?? 0 },
    vector: (id) => E.data.subarray(id * width, (id + 1) * width),
    vocabulary,
    read: texts && about["tokens"] === "char" ? (text) => [...text].map((letter) => ids.get(letter) ?? unknown) : null,
    text: (id) => texts?.[id] ?? vocabulary[id] ?? "",
  };
}
