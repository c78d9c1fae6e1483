/**
 * Line charts as SVG, both axes logarithmic: what grows with what. They follow the reader's colour scheme, and each line is named
 * at its end, so that no colour has to be told from another.
 *
 * A chart: {title, x: {label, values}, panels: [{label, lines: [{name, values}]}]}; null stands for what was not measured.
 */
const panel = { width: 400, height: 280, left: 56, right: 92, top: 34, bottom: 44 };
const colours = ["a", "b", "c", "d"];

const style = `
text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600}.grid{stroke:#ddd}.axis{stroke:#888}
.line{fill:none;stroke-width:2}.a{stroke:#0b6bcb}.b{stroke:#b3530b}.c{stroke:#2f7d32}.d{stroke:#7a3db8}
circle.a{fill:#0b6bcb}circle.b{fill:#b3530b}circle.c{fill:#2f7d32}circle.d{fill:#7a3db8}
text.a,text.b,text.c,text.d{stroke:none}text.a{fill:#0b6bcb}text.b{fill:#b3530b}text.c{fill:#2f7d32}text.d{fill:#7a3db8}
@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}.a{stroke:#6fb1f5}.b{stroke:#f2a15f}.c{stroke:#86c98a}.d{stroke:#c39bea}
circle.a{fill:#6fb1f5}circle.b{fill:#f2a15f}circle.c{fill:#86c98a}circle.d{fill:#c39bea}
text.a{fill:#6fb1f5}text.b{fill:#f2a15f}text.c{fill:#86c98a}text.d{fill:#c39bea}}`.replace(/\n/g, "");

/** A number in as few characters as say it. */
export function short(value) {
  if (value >= 1e6) return `${+(value / 1e6).toPrecision(2)} M`;
  if (value >= 1e3) return `${+(value / 1e3).toPrecision(2)} k`;
  return String(+value.toPrecision(2));
}

/** The powers of ten that enclose all values, and those between. */
function decades(values) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
}

/** Ends of lines that would stand on each other are moved apart. */
function apart(ends) {
  const sorted = [...ends].sort((one, other) => one.y - other.y);
  for (let at = 1; at < sorted.length; at++) sorted[at].y = Math.max(sorted[at].y, sorted[at - 1].y + 14);
  return ends;
}

function drawPanel({ label, lines }, x, offset) {
  const { width, height, left, right, top, bottom } = panel;
  const ticks = decades(lines.flatMap(({ values }) => values.filter((value) => value !== null)));
  const share = (value, from, to) => (Math.log10(value) - Math.log10(from)) / (Math.log10(to) - Math.log10(from));
  const xs = (value) => offset + left + share(value, x.values[0], x.values[x.values.length - 1]) * (width - left - right);
  const ys = (value) => height - bottom - share(value, ticks[0], ticks[ticks.length - 1]) * (height - top - bottom);
  const parts = [`<text class="title" x="${offset + left}" y="18">${label}</text>`];
  for (const tick of ticks) {
    parts.push(`<line class="grid" x1="${offset + left}" x2="${offset + width - right}" y1="${ys(tick)}" y2="${ys(tick)}"/>`);
    parts.push(`<text x="${offset + left - 6}" y="${ys(tick) + 4}" text-anchor="end">${short(tick)}</text>`);
  }
  for (const value of x.values) {
    parts.push(`<text x="${xs(value)}" y="${height - bottom + 18}" text-anchor="middle">${short(value)}</text>`);
  }
  parts.push(`<line class="axis" x1="${offset + left}" x2="${offset + width - right}" y1="${height - bottom}" y2="${height - bottom}"/>`);
  parts.push(`<text x="${offset + left + (width - left - right) / 2}" y="${height - 8}" text-anchor="middle">${x.label}</text>`);
  const ends = lines.map(({ name, values }, at) => {
    const points = values.flatMap((value, place) => (value === null ? [] : [[xs(x.values[place]), ys(value)]]));
    const colour = colours[at];
    parts.push(`<polyline class="line ${colour}" points="${points.map((point) => point.map(Math.round).join(",")).join(" ")}"/>`);
    for (const [px, py] of points) parts.push(`<circle class="${colour}" cx="${Math.round(px)}" cy="${Math.round(py)}" r="3"/>`);
    const [px, py] = points[points.length - 1];
    return { name, colour, x: px + 8, y: py + 4 };
  });
  for (const end of apart(ends)) parts.push(`<text class="${end.colour}" x="${end.x}" y="${end.y}">${end.name}</text>`);
  return parts.join("\n");
}

export function draw({ title, x, panels }) {
  const width = panel.width * panels.length + 16;
  const inner = panels.map((one, at) => drawPanel(one, x, at * panel.width)).join("\n");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${panel.height}" width="${width}" height="${panel.height}" role="img" aria-label="${title}">\n<style>${style}</style>\n${inner}\n</svg>\n`;
}
