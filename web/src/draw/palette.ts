/**
 * Colours that colour-blind readers can tell apart, those of the figures in `unrolled.report.figures.palette`:
 * cividis for magnitudes, purple to orange through the page's colour for signs. A test compares both.
 */

export type Ramp = "magnitude" | "sign";

const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];

const STOPS: Readonly<Record<Ramp, readonly [light: readonly string[], dark: readonly string[]]>> = {
  magnitude: [CIVIDIS, CIVIDIS],
  sign: [
    ["#4a1d7f", "#998ec3", "#ffffff", "#f1a340", "#a44f04"],
    ["#c9b6ff", "#7a66b0", "#14171c", "#a5671f", "#ffbe6b"],
  ],
};

/** Colours of a ramp: an odd number, so that zero has one of its own. */
export const LEVELS = 257;

function channels(colour: string): [number, number, number] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as [number, number, number];
}

const known = new Map<string, Uint8ClampedArray>();

/** A ramp as red, green, blue, opacity of every level. */
export function levels(ramp: Ramp, dark: boolean): Uint8ClampedArray {
  const name = `${ramp}${dark}`;
  let found = known.get(name);
  if (!found) {
    const stops = STOPS[ramp][dark ? 1 : 0].map(channels);
    found = new Uint8ClampedArray(4 * LEVELS);
    for (let level = 0; level < LEVELS; level++) {
      const at = (level / (LEVELS - 1)) * (stops.length - 1);
      const below = Math.min(Math.floor(at), stops.length - 2);
      for (let part = 0; part < 3; part++) {
        const [low, high] = [stops[below]![part]!, stops[below + 1]![part]!];
        found[4 * level + part] = low + (high - low) * (at - below);
      }
      found[4 * level + 3] = 255;
    }
    known.set(name, found);
  }
  return found;
}

/** The level of a value on a ramp that begins at `low` and ends at `high`. */
export function levelOf(value: number, low: number, high: number): number {
  const share = (value - low) / (high - low);
  return Math.round(Math.min(1, Math.max(0, share)) * (LEVELS - 1));
}

/** The colour of a value, and of text on it. */
export function colourOf(value: number, low: number, high: number, ramp: Ramp, dark: boolean): { fill: string; ink: string } {
  const colours = levels(ramp, dark);
  const at = 4 * levelOf(Number.isFinite(value) ? value : low, low, high);
  const [red, green, blue] = [colours[at]!, colours[at + 1]!, colours[at + 2]!];
  return { fill: `rgb(${red} ${green} ${blue})`, ink: luminance(red, green, blue) > 0.179 ? "#000000" : "#ffffff" };
}

/** Relative luminance (WCAG 2.2); above 0.179 black text has the better contrast. */
export function luminance(...colour: [number, number, number]): number {
  const [r, g, b] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
