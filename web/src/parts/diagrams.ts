/** How the inside of a cell is drawn: where its numbers stand, what joins them. */

import type { Cell } from "../trace/cells";

export interface Place {
  /** The quantity; `before` where it is what left the step before. */
  readonly q: string;
  readonly before?: boolean;
  readonly x: number;
  readonly y: number;
  /** Its gradient. */
  readonly d?: string;
}

export interface Diagram {
  readonly width: number;
  readonly height: number;
  readonly places: readonly Place[];
  /** Lines through points, with an arrow at the end. */
  readonly lines: readonly string[];
  readonly signs: readonly { readonly x: number; readonly y: number; readonly sign: string }[];
}

function gates(cell: Cell, at: Readonly<Record<string, number>>, y: number): Pick<Diagram, "places" | "lines" | "signs"> {
  const names = Object.entries(at);
  return {
    places: names.flatMap(([gate, x]) => [{ q: gate, x, y, d: `da:${gate}` }, { q: `a:${gate}`, x, y: y + 84, d: `da:${gate}` }]),
    // What was before enters every gate, by a line below them all.
    lines: names.flatMap(([, x]) => [`M${x},${y + 60}L${x},${y + 24}`, `M56,${y + 107}L56,${y + 122}L${x},${y + 122}L${x},${y + 108}`]),
    signs: [
      ...names.map(([gate, x]) => ({ x: x + 18, y: y + 46, sign: cell.squash[gate] === "tanh" ? "tanh" : "σ" })),
      { x: names[names.length - 1]![1] + 130, y: y + 122, sign: "W_hh h + W_xh x + b" },
    ],
  };
}

function lstm(cell: Cell): Diagram {
  const inside = gates(cell, { f: 190, i: 320, g: 450, o: 600 }, 132);
  return {
    width: 800,
    height: 266,
    places: [
      { q: "c", before: true, x: 56, y: 34, d: "dc" },
      { q: "c", x: 520, y: 34, d: "dc" },
      { q: "h", before: true, x: 56, y: 216, d: "dh" },
      { q: "h", x: 740, y: 132, d: "dh" },
      ...inside.places,
    ],
    lines: [
      "M106,34L178,34", "M202,34L373,34", "M397,34L470,34", "M190,108L190,46", "M320,108L377,88", "M450,108L393,88", "M385,72L385,46",
      "M570,34L668,34L668,120", "M650,132L656,132", "M680,132L690,132", ...inside.lines,
    ],
    signs: [
      { x: 190, y: 34, sign: "×" }, { x: 385, y: 34, sign: "+" }, { x: 385, y: 84, sign: "×" }, { x: 668, y: 132, sign: "×" },
      { x: 690, y: 80, sign: "tanh" }, ...inside.signs,
    ],
  };
}

function gru(cell: Cell): Diagram {
  const inside = gates(cell, { r: 200, z: 340, n: 480 }, 132);
  const before = cell.name === "gru_reset_before";
  return {
    width: 800,
    height: 266,
    places: [
      { q: "h", before: true, x: 56, y: 34, d: "dh" },
      { q: "h", x: 640, y: 34, d: "dh" },
      ...(before ? [] : [{ q: "hw_n", x: 620, y: 216 }]),
      ...inside.places,
    ],
    lines: [
      "M106,34L328,34", "M352,34L468,34", "M492,34L590,34", "M340,108L340,46", "M480,108L480,46",
      "M250,132L268,132L268,176L440,176L440,194", ...(before ? [] : ["M570,216L530,216"]), ...inside.lines,
    ],
    signs: [
      { x: 340, y: 34, sign: "×" }, { x: 480, y: 34, sign: "+" }, { x: 512, y: 78, sign: "× (1 − z)" }, ...inside.signs,
    ],
  };
}

function rnn(cell: Cell): Diagram {
  return {
    width: 560,
    height: 76,
    places: [
      { q: "h", before: true, x: 56, y: 34, d: "dh" },
      { q: "a:h", x: 250, y: 34, d: "da:h" },
      { q: "h", x: 450, y: 34, d: "dh" },
    ],
    lines: ["M106,34L198,34", "M302,34L398,34"],
    signs: [{ x: 152, y: 20, sign: "W_hh, + W_xh x" }, { x: 350, y: 20, sign: cell.squash["h"] === "sigmoid" ? "σ" : cell.squash["h"]! }],
  };
}

export function diagram(cell: Cell): Diagram {
  if (cell.name === "lstm") return lstm(cell);
  return cell.gates.length === 3 ? gru(cell) : rnn(cell);
}
