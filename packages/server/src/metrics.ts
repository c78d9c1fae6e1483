/**
 * The figures of a member as Prometheus text. Names begin with `copse_`; nothing that a client sent appears in them
 * but the names of known ops.
 */
import type { Member } from "@copse/replica";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { AuditLog } from "./audit-log.ts";
import type { TokenBucket } from "./token-bucket.ts";

interface Doors {
  readonly handshakes: TokenBucket;
  readonly audit: AuditLog | null;
  readonly transport: "ws" | "uws";
}

export function createMetrics(member: Member, limits: Readonly<Record<string, number>>, { handshakes, audit, transport }: Doors): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "copse_" });
  const gauge = (name: string, help: string, read: () => number): void => {
    const metric: Gauge = new Gauge({ name: `copse_${name}`, help, registers: [registry], collect: () => metric.set(read()) });
  };
  gauge("connections", "Open client connections", () => member.figures.connections);
  gauge("sessions", "Live sessions", () => member.figures.sessions);
  gauge("znodes", "Znodes in the tree, the root included", () => member.figures.znodes);
  gauge("watches", "Watches of the connections of this member", () => member.figures.watches);
  gauge("subscriptions", "Subscriptions of the connections of this member", () => member.figures.subscriptions);
  gauge("zxid", "The newest zxid that this member has applied", () => member.figures.zxid);
  gauge("log_index", "The newest log entry that this member has applied", () => member.figures.index);
  gauge("coordinates", "1 while this member coordinates", () => (member.order.coordinates ? 1 : 0));
  gauge("has_quorum", "1 while this member serves with a quorum behind it", () => (member.isServing ? 1 : 0));
  gauge("term", "The term of the newest leader that this member knows of", () => member.order.raft.term);
  gauge("committed_index", "The newest log entry that this member knows to be committed", () => member.order.raft.log.committed);
  gauge("quotas_over_soft_bound", "Quotas past one of their soft bounds", () => member.figures.quotasOverSoftBound);
  gauge("pending_txns", "Txns proposed here whose outcome is not known yet", () => member.figures.pending);
  gauge("turn_max_seconds", "The longest turn of the loop since the last scrape", () => member.takeLongestTurnMs() / 1_000);
  const total = (name: string, help: string, read: () => number): void => {
    const metric: Counter = new Counter({
      name: `copse_${name}_total`,
      help,
      registers: [registry],
      collect: () => {
        metric.reset();
        metric.inc(read());
      },
    });
  };
  total("snapshots", "Snapshots written since start", () => member.figures.snapshots);
  total("handshakes_refused", "New connections refused because too many came at once", () => handshakes.refused);
  total("audit_dropped", "Lines of the audit log that could not be written", () => audit?.dropped ?? 0);
  total("log_commits", "Group commits: one write and one sync each", () => member.figures.wal.commits);
  total("log_entries", "Entries appended to the log", () => member.figures.wal.entries);
  total("log_bytes", "Bytes appended to the log", () => member.figures.wal.bytes);
  const counts = (name: string, help: string, label: string, read: () => ReadonlyMap<string, number>): void => {
    const metric: Counter = new Counter({
      name: `copse_${name}_total`,
      help,
      labelNames: [label],
      registers: [registry],
      collect: () => {
        metric.reset();
        for (const [value, count] of read()) metric.inc({ [label]: value }, count);
      },
    });
  };
  counts("requests", "Requests taken, by op", "op", () => member.figures.requests);
  counts("refusals", "Requests refused, by error code", "code", () => member.figures.refusals);
  new Gauge({ name: "copse_transport", help: "What carries clients", labelNames: ["transport"], registers: [registry] }).set(
    { transport },
    1,
  );
  const announced: Gauge<"limit"> = new Gauge({
    name: "copse_limit",
    help: "Announced limits",
    labelNames: ["limit"],
    registers: [registry],
  });
  for (const [limit, value] of Object.entries(limits)) announced.set({ limit }, value);
  return registry;
}
