/** One line over time, drawn by uPlot, in the page's own colours. Loaded only where a chart is shown. */
import uPlot from "uplot";
import uPlotStyle from "uplot/dist/uPlot.min.css?inline";

const sheet = new CSSStyleSheet();
sheet.replaceSync(uPlotStyle);

export interface Chart {
  /** Seconds since the epoch, and a value for each. */
  show(times: readonly number[], values: readonly number[]): void;
  resize(width: number): void;
  end(): void;
}

const height = 130;

export function drawChart(place: HTMLElement, unit: string): Chart {
  const root = place.getRootNode() as ShadowRoot;
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
  const colour = (name: string): string => getComputedStyle(place).getPropertyValue(name).trim();
  const axis = {
    stroke: () => colour("--muted"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { stroke: () => colour("--line") },
  };
  const plot = new uPlot(
    {
      width: Math.max(200, place.clientWidth),
      height,
      legend: { show: false },
      cursor: { show: false },
      axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => `${tick.toLocaleString("en")}${unit}`) }],
      series: [{}, { stroke: () => colour("--accent"), width: 1.5, points: { show: false } }],
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    },
    [[], []],
    place,
  );
  return {
    show: (times, values) => plot.setData([[...times], [...values]]),
    resize: (width) => plot.setSize({ width: Math.max(200, width), height }),
    end: () => plot.destroy(),
  };
}
