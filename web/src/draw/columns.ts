/** Where steps stand on a line: all as wide, or, of many, those around the cursor wide and the others narrow. */

export interface Columns {
  readonly count: number;
  readonly width: number;
  x(t: number): number;
  /** How wide a step is. */
  wide(t: number): number;
  /** The step at a place. */
  at(x: number): number;
  /** Stretches of steps that are all as wide: first step, end, place, width. */
  readonly stretches: readonly { first: number; end: number; x: number; width: number }[];
}

/** The widest a step is drawn, and the narrowest that it still has its name. */
const WIDEST = 72;
const NAMED = 20;

export function columns(count: number, room: number, cursor: number): Columns {
  const each = room / Math.max(1, count);
  if (each >= NAMED) return pieces(count, [{ first: 0, end: count, width: Math.min(each, WIDEST) * count }]);
  // The lens: as many steps around the cursor as have their names in two fifths of the room.
  const lens = Math.min(count, Math.max(5, Math.floor((0.4 * room) / NAMED)));
  const first = Math.min(count - lens, Math.max(0, Math.round(cursor - lens / 2)));
  const rest = count - lens;
  const left = room - lens * NAMED;
  return pieces(count, [
    { first: 0, end: first, width: rest ? (left * first) / rest : 0 },
    { first, end: first + lens, width: lens * NAMED },
    { first: first + lens, end: count, width: rest ? (left * (rest - first)) / rest : 0 },
  ]);
}

function pieces(count: number, parts: readonly { first: number; end: number; width: number }[]): Columns {
  let x = 0;
  const stretches = parts
    .filter(({ first, end }) => end > first)
    .map((part) => {
      const placed = { ...part, x };
      x += part.width;
      return placed;
    });
  const width = x;
  const of = (t: number) => stretches.find(({ end }) => t < end) ?? stretches[stretches.length - 1];
  return {
    count,
    width,
    stretches,
    x(t) {
      const part = of(t);
      return part ? part.x + ((t - part.first) * part.width) / (part.end - part.first) : 0;
    },
    wide(t) {
      const part = of(t);
      return part ? part.width / (part.end - part.first) : 0;
    },
    at(place) {
      const part = stretches.find((one) => place < one.x + one.width) ?? stretches[stretches.length - 1];
      if (!part) return 0;
      const t = part.first + Math.floor(((place - part.x) * (part.end - part.first)) / part.width);
      return Math.min(count - 1, Math.max(0, t));
    },
  };
}
