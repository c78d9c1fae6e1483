/** Histograms that a member keeps itself, as metrics: what is measured in the core knows nothing of Prometheus. */
import { type Histogram, histogramBoundsMs } from "@copse/replica";
import type { Metric, Registry } from "prom-client";

type Labels = Readonly<Record<string, string>>;

/** Registers a histogram, in seconds. @param read gives all of its series, the same ones each time */
export function registerHistogram(
  registry: Registry,
  name: string,
  help: string,
  read: () => readonly (readonly [Labels, Histogram])[],
): void {
  const metric = {
    name,
    help,
    type: "histogram",
    aggregator: "sum",
    get: () =>
      Promise.resolve({
        name,
        help,
        type: "histogram",
        aggregator: "sum",
        values: read().flatMap(([labels, histogram]) => series(name, labels, histogram)),
      }),
    reset: () => {},
  };
  registry.registerMetric(metric as unknown as Metric);
}

function series(name: string, labels: Labels, { counts, sumMs }: Histogram): readonly object[] {
  let count = 0;
  const buckets = counts.map((own, at) => {
    count += own;
    const bound = histogramBoundsMs[at];
    return { metricName: `${name}_bucket`, labels: { ...labels, le: bound === undefined ? "+Inf" : String(bound / 1_000) }, value: count };
  });
  return [...buckets, { metricName: `${name}_sum`, labels, value: sumMs / 1_000 }, { metricName: `${name}_count`, labels, value: count }];
}
