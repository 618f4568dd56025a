/** Where a layer's input comes from, and where its output goes: found by the numbers, which are the same. */

import type { Layer } from "../trace/layer";
import type { Trace } from "../trace/trace";

/** A stretch of a layer's input that is the output of another layer. */
export interface Source {
  readonly layer: number;
  /** The input's first feature that is of that layer, and how many are. */
  readonly first: number;
  readonly count: number;
}

export interface Wiring {
  /** By layer, what its input is made of; empty where it is the model's own input. */
  readonly sources: readonly (readonly Source[])[];
  /** By layer, where its output is read: the reading layer, and at which feature it begins there. */
  readonly readers: readonly (readonly Source[])[];
}

export function wiring(trace: Trace): Wiring {
  const sources = trace.layers.map((layer) => sourcesOf(trace, layer));
  const readers = trace.layers.map((layer) =>
    sources.flatMap((found, reader) =>
      found.filter((source) => source.layer === layer.index).map(({ first, count }) => ({ layer: reader, first, count })),
    ),
  );
  return { sources, readers };
}

function sourcesOf(trace: Trace, layer: Layer): Source[] {
  if (!layer.has("x") || layer.units) return [];
  const earlier = trace.layers.slice(0, layer.index).filter((below) => below.T === layer.T && below.has("h"));
  const found: Source[] = [];
  let first = 0;
  while (first < layer.I) {
    const below = earlier.find((candidate) => first + candidate.R <= layer.I && isRead(layer, candidate, first));
    if (!below) return [];
    found.push({ layer: below.index, first, count: below.R });
    first += below.R;
  }
  return found;
}

/** Whether features of the input are the output of another layer, at a few steps of every sequence. */
function isRead(layer: Layer, below: Layer, first: number): boolean {
  let some = false;
  for (let b = 0; b < layer.B; b++) {
    const steps = layer.length(b);
    for (const t of new Set([0, steps >> 1, steps - 1])) {
      if (t < 0) continue;
      for (let u = 0; u < below.R; u++) {
        if (layer.at("x", t, b, first + u) !== below.at("h", t, b, u)) return false;
        some = true;
      }
    }
  }
  return some;
}
