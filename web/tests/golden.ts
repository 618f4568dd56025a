/** The traces that the reference made, by name; and one with a text, of a trained network. */

import { readdirSync, readFileSync } from "node:fs";
import { Trace } from "../src/trace/trace";

const FOLDER = new URL("../../tests/golden/explorer/", import.meta.url);

export function names(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".safetensors") && !name.startsWith("weights"))
    .map((name) => name.replace(".safetensors", ""));
}

export function bytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${name}.safetensors`, FOLDER)));
}

export function golden(name: string): Trace {
  return Trace.read(bytes(name));
}
