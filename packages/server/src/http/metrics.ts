/**
 * The figures of a member as Prometheus text. Names begin with `copse_`; nothing that a client sent appears in them
 * but the names of known ops.
 */
import { errorCodes, opNames } from "@copse/protocol";
import type { Member } from "@copse/replica";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { AuditLog } from "../audit-log.ts";
import type { ScheduledSnapshots } from "../backup/scheduled-snapshots.ts";
import { type Doors, upgradeRefusals } from "../clients/doors.ts";
import type { CredentialProver } from "../credentials/prover.ts";
import type { DiskUse } from "../disk/disk-use.ts";
import type { SpaceWatch } from "../disk/space-watch.ts";
import { type HeapWatch, heapUse } from "../heap-watch.ts";
import { version } from "../version.ts";
import { registerHistogram } from "./histogram-metric.ts";

interface Sources {
  readonly doors: Doors;
  readonly prover: CredentialProver;
  readonly heap: HeapWatch;
  readonly audit: AuditLog | null;
  readonly scheduled: ScheduledSnapshots | null;
  readonly space: SpaceWatch;
  readonly disk: () => DiskUse;
  /** When each certificate ends, in milliseconds since the epoch, by what it is for. */
  readonly certificates: () => ReadonlyMap<string, number>;
  readonly transport: "ws" | "uws";
}

/** The bounds of a member, by their names. */
interface Bounds {
  readonly limits: Readonly<Record<string, number>>;
  readonly budgets: Readonly<Record<string, number>>;
}

export function createMetrics(
  member: Member,
  { limits, budgets }: Bounds,
  { doors, prover, heap, space, audit, scheduled, disk, certificates, transport }: Sources,
): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "copse_" });
  let taken: Member["figures"] | null = null;
  /** The same for every metric of a scrape, which are all collected in one turn. */
  const figures = (): Member["figures"] => {
    if (taken === null) setImmediate(() => (taken = null));
    taken ??= member.figures;
    return taken;
  };
  const gauge = (name: string, help: string, read: () => number): void => {
    const metric: Gauge = new Gauge({ name: `copse_${name}`, help, registers: [registry], collect: () => metric.set(read()) });
  };
  gauge("connections", "Open client connections", () => figures().connections);
  gauge("sessions", "Live sessions", () => figures().sessions);
  gauge("znodes", "Znodes in the tree, the root included", () => figures().znodes);
  gauge("watches", "Watches of the connections of this member", () => figures().watches);
  gauge("subscriptions", "Subscriptions of the connections of this member", () => figures().subscriptions);
  gauge("zxid", "The newest zxid that this member has applied", () => figures().zxid);
  gauge("log_index", "The newest log entry that this member has applied", () => figures().index);
  gauge("coordinates", "1 while this member coordinates", () => (figures().coordinates ? 1 : 0));
  gauge("has_quorum", "1 while this member serves with a quorum behind it", () => (member.isServing ? 1 : 0));
  gauge("term", "The term of the newest leader that this member knows of", () => figures().term);
  gauge("committed_index", "The newest log entry that this member knows to be committed", () => figures().committed);
  gauge("wall_offset_seconds", "How far the wall clock is ahead of the state's time", () => figures().wallOffsetMs / 1_000);
  gauge("quotas_over_soft_bound", "Quotas past one of their soft bounds", () => figures().quotasOverSoftBound);
  gauge("pending_txns", "Txns proposed here whose outcome is not known yet", () => figures().pending);
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
  total("snapshots", "Snapshots written since start", () => figures().snapshots);
  gauge("received_bytes", "Bytes of requests that are not answered yet", () => figures().receivedBytes);
  gauge("unsent_bytes", "Bytes that wait to be sent to clients", () => figures().unsentBytes);
  gauge("followed_bytes", "Bytes of watches and subscriptions", () => figures().followedBytes);
  gauge("aside_bytes", "Bytes kept for subscriptions that read an older state in pieces", () => figures().asideBytes);
  gauge("acl_bytes", "Bytes of the different ACLs of all znodes", () => figures().aclBytes);
  total("derivations", "Passwords derived since start", () => prover.passwords.derived);
  gauge("derivations_waiting", "Credentials that wait to be derived", () => prover.passwords.waiting);
  gauge("heap_pressed", "1 while the heap is nearly full and growing requests are refused", () => (heap.isPressed ? 1 : 0));
  gauge("disk_pressed", "1 while the disk is nearly full and writes that grow are refused", () => (space.isPressed ? 1 : 0));
  gauge("heap_limit_bytes", "Bytes of heap at which the process would end", () => heapUse().limit);
  gauge("root_open", "1 while everyone may change what is below the root", () => (member.isRootOpen ? 1 : 0));
  total("handshakes_refused", "New connections refused because too many came at once", () => doors.refusals.get("handshakes") ?? 0);
  total("audit_dropped", "Lines of the audit log that could not be written", () => audit?.dropped ?? 0);
  total("scheduled_snapshots_failed", "Scheduled snapshots that could not be saved", () => scheduled?.failures ?? 0);
  gauge("scheduled_snapshot_time_seconds", "When the newest scheduled snapshot was saved, 0 for none since start", () => {
    return (scheduled?.savedAt ?? 0) / 1_000;
  });
  total("proposals_unreadable", "Proposals of other members that were dropped because they can't be read", () => figures().unreadable);
  total("log_commits", "Group commits: one write and one sync each", () => figures().wal.commits);
  total("log_entries", "Entries appended to the log", () => figures().wal.entries);
  total("log_bytes", "Bytes appended to the log", () => figures().wal.bytes);
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
  total("sessions_opened", "Sessions of the ensemble that were opened since this member started", () => member.tally.sessionsOpened);
  total("sessions_expired", "Sessions of the ensemble that expired since this member started", () => member.tally.sessionsExpired);
  total("leader_changes", "How often this member heard of another leader than before", () => member.tally.leaderChanges);
  total("elections", "Elections in which this member stood", () => member.tally.elections);
  total("proposals_repeated", "Txns proposed again because they seemed lost", () => figures().proposedAgain);
  gauge("pending_oldest_seconds", "How long the oldest pending txn has been the oldest", () => figures().stalledMs / 1_000);
  total("hash_mismatches", "Times that another member's tree was not this one's, at the same zxid", () => member.tally.hashMismatches);
  gauge("snapshot_age_seconds", "Age of the newest snapshot by the state's time, 0 for none", () => {
    const { snapshotTime, time } = figures();
    return snapshotTime === 0 ? 0 : Math.max(0, time - snapshotTime) / 1_000;
  });
  gauge("disk_free_bytes", "Bytes that are free on the disk of the data directory", () => disk().freeBytes);
  gauge("disk_bytes", "Bytes of the disk of the data directory", () => disk().totalBytes);
  gauge("log_disk_bytes", "Bytes of the log's files", () => disk().logBytes);
  gauge("snapshot_disk_bytes", "Bytes of the snapshots' files", () => disk().snapshotBytes);
  const labelled = <Label extends string>(
    name: string,
    help: string,
    label: Label,
    read: () => Iterable<readonly [string, number]>,
  ): void => {
    const metric: Gauge<Label> = new Gauge({
      name: `copse_${name}`,
      help,
      labelNames: [label],
      registers: [registry],
      collect: () => {
        metric.reset();
        for (const [value, count] of read()) metric.set({ [label]: value } as Record<Label, string>, count);
      },
    });
  };
  labelled("peer_up", "1 while the link to a member stands", "peer", () => member.peers.map(({ id, isUp }) => [id, isUp ? 1 : 0]));
  labelled("peer_lag_txns", "Txns that this member has applied and a member has not said it has", "peer", () => {
    return member.peers.map(({ id, isUp, zxid }) => [id, isUp ? Math.max(0, figures().zxid - zxid) : 0]);
  });
  labelled("peer_rtt_seconds", "The newest round trip to a member and back, its turns of the loop included", "peer", () => {
    return [...member.roundTripsMs].map(([id, ms]) => [id, ms / 1_000]);
  });
  labelled("certificate_expires_seconds", "When a certificate ends, in seconds since the epoch", "use", () => {
    return [...certificates()].map(([use, at]) => [use, at / 1_000]);
  });
  registerHistogram(registry, "copse_request_seconds", "From a request's arrival until its answer, by op", () => {
    return [...member.tally.requests].map(([op, histogram]) => [{ op }, histogram]);
  });
  registerHistogram(registry, "copse_sync_seconds", "One write of the log, its sync included", () => [[{}, member.tally.syncs]]);
  new Gauge({ name: "copse_build_info", help: "This build", labelNames: ["version", "node"], registers: [registry] }).set(
    { version, node: process.versions.node },
    1,
  );
  counts("requests", "Requests taken, by op", "op", () => new Map([...opNames.map((op) => [op, 0] as const), ...figures().requests]));
  counts("refusals", "Requests refused, by error code", "code", () => withZeros(errorCodes, figures().refusals));
  counts("upgrades_refused", "New connections refused, by reason", "reason", () => withZeros(upgradeRefusals, doors.refusals));
  counts("over_budget", "Requests refused and connections closed because a budget was used up, by budget", "budget", () => {
    return withZeros([...Object.keys(budgets), "heap", "disk", "leader"], new Map([...figures().overBudget, ...prover.passwords.refusals]));
  });
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
  const budget: Gauge<"budget"> = new Gauge({
    name: "copse_budget",
    help: "The configured value of each budget; +Inf where there is no bound",
    labelNames: ["budget"],
    registers: [registry],
  });
  for (const [name, value] of Object.entries(budgets)) budget.set({ budget: name }, value);
  return registry;
}

/** With a 0 for each value that has not come yet: a rate is known from the first event on. */
function withZeros(values: readonly string[], counted: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...values.map((value) => [value, 0] as const), ...counted]);
}
