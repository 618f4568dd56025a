/** A chart as SVG, PNG or CSV. */

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

const INHERITED = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity",
  "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline"] as const;
const SVG = "http://www.w3.org/2000/svg";

/** The pictures and drawings of a chart as one drawing, with every colour written out. */
export function svgOf(chart: HTMLElement, caption: string, background: string): SVGSVGElement {
  const box = chart.getBoundingClientRect();
  const made = document.createElementNS(SVG, "svg");
  const [width, height] = [Math.ceil(box.width), Math.ceil(box.height) + 22];
  set(made, { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  made.append(element("title", {}, caption), element("rect", { width, height, fill: background }));
  for (const part of chart.querySelectorAll<HTMLCanvasElement | SVGSVGElement>("canvas, svg")) {
    if (part.parentElement?.closest("svg")) continue;
    const at = part.getBoundingClientRect();
    const place = { x: at.left - box.left, y: at.top - box.top, width: at.width, height: at.height };
    if (part instanceof HTMLCanvasElement) {
      made.append(element("image", { ...place, href: part.toDataURL(), preserveAspectRatio: "none" }));
    } else {
      const copy = part.cloneNode(true) as SVGSVGElement;
      writeOut(part, copy);
      set(copy, { ...place, overflow: "visible" });
      made.append(copy);
    }
  }
  const ink = getComputedStyle(chart).color;
  made.append(element("text", { x: 4, y: height - 7, fill: ink, "font-family": "sans-serif", "font-size": 11 }, caption));
  return made;
}

function writeOut(from: Element, to: Element): void {
  const style = getComputedStyle(from);
  for (const name of INHERITED) {
    const value = style.getPropertyValue(name);
    if (value) to.setAttribute(name, value);
  }
  for (const name of ["class", "tabindex", "role", "style"]) to.removeAttribute(name);
  [...from.children].forEach((child, k) => writeOut(child, to.children[k]!));
}

function element(name: string, attributes: Record<string, string | number>, text = ""): SVGElement {
  const made = document.createElementNS(SVG, name);
  set(made, attributes);
  if (text) made.textContent = text;
  return made;
}

function set(of: Element, attributes: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(attributes)) of.setAttribute(name, String(value));
}

export function asText(drawing: SVGSVGElement): string {
  return new XMLSerializer().serializeToString(drawing);
}

/** The drawing in dots, two for each of its units. */
export async function png(drawing: SVGSVGElement): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(asText(drawing))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * image.width;
  canvas.height = 2 * image.height;
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture"))), "image/png"));
}

/** A table as CSV (RFC 4180); what a spreadsheet would take for a formula is kept from it. */
export function csv({ head, rows }: Table): string {
  const field = (value: string | number) => {
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [head, ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}

/** Gives a file to whoever looks at the page. */
export function save(contents: Blob | string, name: string, type: string): void {
  const blob = typeof contents === "string" ? new Blob([contents], { type }) : contents;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
