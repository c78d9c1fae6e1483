/** One text of metrics for a member and the edges that it has started: what each process counts of its own clients is added up. */
import { AggregatorRegistry, type Registry } from "prom-client";

/** Of connections, or of a process. Everything else is the same everywhere, or the member's alone. */
const added: ReadonlySet<string> = new Set(
  [
    ...["connections", "watches", "subscriptions", "received_bytes", "unsent_bytes", "followed_bytes", "pending_txns"],
    ...["derivations_total", "derivations_waiting", "handshakes_refused_total", "audit_dropped_total"],
    ...["request_seconds", "requests_total", "refusals_total", "upgrades_refused_total", "over_budget_total"],
    ...["process_cpu_seconds_total", "process_cpu_user_seconds_total", "process_cpu_system_seconds_total", "process_resident_memory_bytes"],
  ].map((name) => `copse_${name}`),
);

/** The text of metrics, and what kind of text that is. */
export interface ServerMetrics {
  metrics(): Promise<string>;
  readonly contentType: string;
}

/** A registry's metrics, as they travel from one process to another. */
export type MetricList = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

/** What an edge adds to its member's figures. */
export async function addedMetrics(own: Registry): Promise<MetricList> {
  return (await own.getMetricsAsJSON()).filter(({ name }) => added.has(name));
}

/** @param others those of each edge, as far as it answers */
export function summedMetrics(own: Registry, others: () => Promise<readonly MetricList[]>): ServerMetrics {
  const metrics = async (): Promise<string> => {
    const all = [await own.getMetricsAsJSON(), ...(await others())];
    return AggregatorRegistry.aggregate(all as object[][] as never).metrics();
  };
  return { metrics, contentType: own.contentType };
}
