/** Reads safetensors: named arrays in one piece of memory, without copying them. */

export type Data = Float32Array | Float64Array | BigInt64Array | Uint8Array;

/** An array with the sizes of its axes, elements in their order. */
export interface Tensor<D extends Data = Data> {
  readonly data: D;
  readonly shape: readonly number[];
}

export interface Safetensors {
  readonly metadata: Readonly<Record<string, string>>;
  readonly arrays: ReadonlyMap<string, Tensor>;
}

/** A file that is not what it should be; the message is meant for people. */
export class FormatError extends Error {
  override name = "FormatError";
}

const KINDS = {
  F32: (memory: ArrayBuffer, at: number, count: number) => new Float32Array(memory, at, count),
  F64: (memory: ArrayBuffer, at: number, count: number) => new Float64Array(memory, at, count),
  I64: (memory: ArrayBuffer, at: number, count: number) => new BigInt64Array(memory, at, count),
  U8: (memory: ArrayBuffer, at: number, count: number) => new Uint8Array(memory, at, count),
} as const;

const WIDTHS = { F32: 4, F64: 8, I64: 8, U8: 1 } as const;

type Kind = keyof typeof KINDS;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object that a text holds in JSON. */
export function parseObject(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FormatError(`${what} cannot be read: it is damaged, or something else.`);
  }
  if (!isRecord(value)) throw new FormatError(`${what} must be an object.`);
  return value;
}

/** Opens the bytes of a safetensors file; every array is a view of them. */
export function read(bytes: Uint8Array): Safetensors {
  const memory = aligned(bytes);
  if (memory.byteLength < 8) throw new FormatError("The file is cut short, or something else.");
  const length = Number(new DataView(memory).getBigUint64(0, true));
  const end = 8 + length;
  if (length < 2 || end > memory.byteLength) throw new FormatError("The file is cut short, or something else.");
  const header = parseObject(new TextDecoder().decode(new Uint8Array(memory, 8, length)), "The file's header");
  const metadata: Record<string, string> = {};
  if (isRecord(header["__metadata__"])) {
    for (const [key, value] of Object.entries(header["__metadata__"])) metadata[key] = String(value);
  }
  const arrays = new Map<string, Tensor>();
  let size = 0;
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { tensor, to } = array(memory, end, name, entry);
    arrays.set(name, tensor);
    size = Math.max(size, to);
  }
  if (end + size !== memory.byteLength) throw new FormatError("The file is cut short, or has more than it says.");
  return { metadata, arrays };
}

function array(memory: ArrayBuffer, begin: number, name: string, entry: unknown): { tensor: Tensor; to: number } {
  const damaged = new FormatError(`The array ${name} is not described as it should be.`);
  if (!isRecord(entry)) throw damaged;
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !(dtype in KINDS)) {
    throw new FormatError(`The array ${name} must be of F32, F64, I64 or U8; got ${String(dtype)}.`);
  }
  if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) throw damaged;
  const kind = dtype as Kind;
  const [from, to] = offsets as [number, number];
  const count = shape.reduce((product, size) => product * size, 1);
  if (to - from !== count * WIDTHS[kind] || begin + to > memory.byteLength) throw damaged;
  return { tensor: { data: KINDS[kind](memory, begin + from, count), shape }, to };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** The bytes where views of eight bytes may begin: as they are, or a copy. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) return buffer;
  return bytes.slice().buffer;
}

/** A tensor of real numbers; throws where it is another kind. */
export function real(tensor: Tensor, name: string): Tensor<Float32Array | Float64Array> {
  const { data } = tensor;
  if (data instanceof Float32Array || data instanceof Float64Array) return { data, shape: tensor.shape };
  throw new FormatError(`The array ${name} must be of real numbers.`);
}
