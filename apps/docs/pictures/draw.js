/**
 * Draws the guide's pictures from their texts beside it: `node apps/docs/pictures/draw.js` writes public/pictures/NAME.svg.
 *
 * Two kinds. `tree TITLE`, then names by indentation, each with `= value` or `(note)`. `sequence TITLE`, `lanes A | B`, then in order
 * `A -> B: text` for a message and `A: text` for what happens at one. Each picture has a light and a dark form in one file.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const rowHeight = 34;
const laneWidth = 210;
const margin = 24;
const style = `
  .card { fill: #fbfcfa; stroke: #dbe3dc }
  .title { font: 600 15px system-ui, sans-serif; fill: #1f2a23 }
  .name { font: 600 13px system-ui, sans-serif; fill: #17613b }
  .text { font: 13px system-ui, sans-serif; fill: #2c3830; paint-order: stroke; stroke: #fbfcfa; stroke-width: 5px }
  .note { font: 12px system-ui, sans-serif; fill: #5d6b62 }
  .mono { font: 13px ui-monospace, monospace; fill: #1f2a23 }
  .line { stroke: #b9c6bc; stroke-width: 1.2; fill: none }
  .arrow { stroke: #17613b; stroke-width: 1.5; fill: none }
  .head { fill: #17613b }
  .dot { fill: #17613b }
  @media (prefers-color-scheme: dark) {
    .card { fill: #1d2420; stroke: #34403a }
    .title, .mono { fill: #eaf1ec } .text { fill: #d5dfd8; stroke: #1d2420 } .note { fill: #a3b1a8 }
    .name { fill: #8fd3a8 } .line { stroke: #4b5a51 } .arrow { stroke: #8fd3a8 } .head, .dot { fill: #8fd3a8 }
  }`;

export function draw(source) {
  const [head = "", ...lines] = source.trimEnd().split("\n");
  const [kind, ...title] = head.split(" ");
  return kind === "tree" ? drawTree(title.join(" "), lines) : drawSequence(title.join(" "), lines);
}

function drawTree(title, lines) {
  const rows = lines.map((line, at) => {
    const depth = (line.length - line.trimStart().length) / 2;
    const [, name = "", rest = ""] = /^(\S+)(.*)$/.exec(line.trim()) ?? [];
    return { depth, name, rest: rest.trim(), y: 64 + at * 28 };
  });
  const shapes = rows.map(({ depth, name, rest, y }, at) => {
    const x = margin + depth * 26;
    const parent = rows.slice(0, at).findLast((row) => row.depth === depth - 1);
    const link = parent === undefined ? "" : `<path class="line" d="M${x - 18} ${parent.y + 8} V${y - 4} H${x - 4}"/>`;
    const note = rest === "" ? "" : `<tspan class="note" dx="10">${escaped(rest.replace(/^= /, ""))}</tspan>`;
    return `${link}<text class="mono" x="${x}" y="${y}">${escaped(name)}${note}</text>`;
  });
  return picture(title, 620, 64 + rows.length * 28, shapes);
}

function drawSequence(title, [lanesLine = "", ...lines]) {
  const lanes = lanesLine.replace("lanes ", "").split(" | ");
  const xOf = (lane) => {
    const at = lanes.indexOf(lane);
    if (at < 0) throw new Error(`there is no lane ${lane}`);
    return margin + laneWidth / 2 + at * laneWidth;
  };
  const bottom = 92 + lines.length * rowHeight;
  const shapes = lanes.map((lane) => {
    const x = xOf(lane);
    return `<text class="name" x="${x}" y="66" text-anchor="middle">${escaped(lane)}</text><path class="line" d="M${x} 76 V${bottom}"/>`;
  });
  for (const [at, line] of lines.entries()) {
    const y = 104 + at * rowHeight;
    const [, from = "", to, text = ""] = /^(.+?)(?: -> (.+?))?: (.*)$/.exec(line) ?? [];
    const x = xOf(from);
    if (to === undefined) {
      const isLast = lanes.indexOf(from) === lanes.length - 1;
      const place = isLast ? `x="${x - 10}" text-anchor="end"` : `x="${x + 10}"`;
      shapes.push(`<circle class="dot" cx="${x}" cy="${y - 4}" r="4"/><text class="text" ${place} y="${y}">${escaped(text)}</text>`);
      continue;
    }
    const end = xOf(to);
    const side = end > x ? 1 : -1;
    shapes.push(
      `<path class="arrow" d="M${x} ${y} H${end - side * 7}"/><path class="head" d="M${end} ${y} l${-side * 8} -4 v8 z"/>`,
      `<text class="text" x="${(x + end) / 2}" y="${y - 6}" text-anchor="middle">${escaped(text)}</text>`,
    );
  }
  return picture(title, 2 * margin + lanes.length * laneWidth, bottom + 8, shapes);
}

function picture(title, width, height, shapes) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title><style>${style}</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10"/>
<text class="title" x="${margin}" y="34">${escaped(title)}</text>
${shapes.join("\n")}
</svg>
`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const own = import.meta.dirname;
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = join(own, "../public/pictures");
  mkdirSync(out, { recursive: true });
  for (const file of readdirSync(own).filter((name) => name.endsWith(".txt"))) {
    writeFileSync(join(out, file.replace(".txt", ".svg")), draw(readFileSync(join(own, file), "utf8")));
  }
}
