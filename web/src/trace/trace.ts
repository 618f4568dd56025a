/** A trace, as docs/trace-format.md describes it: what one run of a model computed, and what went back. */

import { Layer, type LayerFacts, type Matrix, type Reals } from "./layer";
import { FormatError, isRecord, parseObject, read, real, type Tensor } from "./safetensors";

const VERSION = 1;

export interface Facts {
  readonly model: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly weights_sha256: string;
  readonly tokens: readonly (readonly string[])[];
  readonly versions: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly left_out: Readonly<Record<string, string>>;
  readonly loss: number | null;
  readonly compared: Readonly<Record<string, number>>;
  /** What each number of the output is of: tokens, labels; empty where the trace does not say. */
  readonly outputs: readonly string[];
  /** Whether outputs and losses are of other steps than the layers', as those of a translation are. */
  readonly apart: boolean;
}

export class Trace {
  readonly layers: readonly Layer[];
  private readonly seen = new Map<string, Matrix>();

  constructor(
    readonly facts: Facts,
    readonly arrays: ReadonlyMap<string, Tensor>,
    layers: readonly LayerFacts[],
    units: readonly number[] | null,
    private readonly signature: { digest: string; manifest: string; order: readonly string[] },
  ) {
    this.layers = layers.map((about, index) => new Layer(index, about, arrays, units));
    if (this.layers.length === 0) throw new FormatError("The trace has no layer that ran.");
  }

  /** Sequences side by side. */
  get B(): number {
    return this.layers[0]!.B;
  }

  /** What the run or the model is called. */
  get title(): string {
    const run = this.facts.model["run"];
    return typeof run === "string" ? run : this.facts.model.name;
  }

  /** The layer that ran last. */
  get last(): Layer {
    return this.layers[this.layers.length - 1]!;
  }

  layer(index: number): Layer {
    return this.layers[Math.min(Math.max(index, 0), this.layers.length - 1)]!;
  }

  /** The tokens of a sequence; empty where the input was none. */
  tokens(b: number): readonly string[] {
    return this.facts.tokens[b] ?? [];
  }

  tensor(name: string): Reals | undefined {
    const tensor = this.arrays.get(name);
    return tensor && real(tensor, name);
  }

  /** Numbers of the whole model at every step, `y`, `p`, `dy`; undefined where they have no axis of time. */
  outputs(name: string, b: number): Matrix | undefined {
    const known = this.seen.get(`${name}/${b}`);
    if (known) return known;
    const tensor = this.tensor(name);
    const last = this.last;
    if (this.facts.apart || !tensor || tensor.shape.length !== 3 || tensor.shape[0] !== last.T || tensor.shape[1] !== last.B) return undefined;
    const [, B, units] = tensor.shape as [number, number, number];
    const steps = last.length(b);
    const values = new Float32Array(steps * units);
    for (let t = 0; t < steps; t++) values.set(tensor.data.subarray((t * B + b) * units, (t * B + b + 1) * units), t * units);
    const matrix = { values, steps, units };
    this.seen.set(`${name}/${b}`, matrix);
    return matrix;
  }

  /** The loss of every step, in nats. */
  losses(b: number): Float32Array | undefined {
    const tensor = this.tensor("loss_t");
    const last = this.last;
    if (this.facts.apart || !tensor || tensor.shape[0] !== last.T) return undefined;
    return Float32Array.from({ length: last.length(b) }, (_, t) => tensor.data[t * last.B + b] ?? NaN);
  }

  /** The token that was to be foretold at a step. */
  target(t: number, b: number): number | undefined {
    const targets = this.arrays.get("targets");
    const value = targets?.data[t * this.B + b];
    return value === undefined ? undefined : Number(value);
  }

  /** Whether the bytes are those that were written; null where the browser cannot tell. */
  async intact(): Promise<boolean | null> {
    if (!globalThis.crypto?.subtle) return null;
    const parts = [new TextEncoder().encode(this.signature.manifest)];
    for (const name of this.signature.order) {
      const { data } = this.arrays.get(name)!;
      parts.push(new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength));
    }
    const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
    return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === this.signature.digest;
  }

  /** Reads one file, `.safetensors`; throws a `FormatError` that says what is wrong with it. */
  static read(bytes: Uint8Array): Trace {
    const { metadata, arrays } = read(bytes);
    if (metadata["format"] !== "unrolled-trace") throw new FormatError("The file is no trace.");
    const version = Number(metadata["version"]);
    if (!(version >= 1)) throw new FormatError("The trace does not say its version.");
    if (version > VERSION) {
      throw new FormatError(`The trace is of version ${version}; this page reads up to ${VERSION}. Take a later one.`);
    }
    const text = metadata["manifest"] ?? "";
    const manifest = parseObject(text, "The trace's manifest");
    const { facts, arrays: names } = manifest;
    if (!isRecord(facts) || !isTexts(names)) throw new FormatError("The trace's manifest lacks facts or arrays.");
    for (const name of names) {
      if (!arrays.has(name)) throw new FormatError(`The trace lacks the array ${name} that its manifest lists.`);
    }
    const keep = facts["keep"];
    const units = isRecord(keep) && isNumbers(keep["units"]) ? keep["units"] : null;
    const signature = { digest: metadata["sha256"] ?? "", manifest: text, order: names };
    return new Trace(factsOf(facts), arrays, layersOf(facts), units, signature);
  }
}

function factsOf(facts: Record<string, unknown>): Facts {
  const { model, tokens, loss, outputs } = facts;
  if (!isRecord(model)) throw new FormatError("The trace does not say which model it is of.");
  return {
    model: { ...model, name: String(model["name"]) },
    weights_sha256: String(facts["weights_sha256"]),
    tokens: Array.isArray(tokens) ? tokens.filter(isTexts) : [],
    versions: record(facts["versions"], String),
    seed: Number(facts["seed"]),
    left_out: record(facts["left_out"], String),
    loss: typeof loss === "number" ? loss : null,
    compared: record(facts["compared"], (apart) => (typeof apart === "number" ? apart : NaN)), // null is not finite
    outputs: isTexts(outputs) ? outputs : [],
    apart: Array.isArray(facts["output_tokens"]),
  };
}

function layersOf(facts: Record<string, unknown>): LayerFacts[] {
  const { layers } = facts;
  if (!Array.isArray(layers)) throw new FormatError("The trace does not list its layers.");
  return layers.map((about: unknown) => {
    if (!isRecord(about)) throw new FormatError("A layer of the trace is not described as it should be.");
    const size = (name: string) => {
      const value = about[name];
      if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
        throw new FormatError(`A layer of the trace does not say its ${name}.`);
      }
      return value;
    };
    return {
      name: String(about["name"]),
      module: String(about["module"]),
      number: size("number"),
      call: size("call"),
      cell: String(about["cell"]),
      direction: String(about["direction"]),
      T: size("T"),
      B: size("B"),
      I: size("I"),
      H: size("H"),
      first_step: size("first_step"),
      whole_T: size("whole_T"),
    };
  });
}

function record<V>(value: unknown, of: (value: unknown) => V): Record<string, V> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, of(item)]));
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}
