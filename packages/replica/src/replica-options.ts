/** What a member's core is told at start, and what it stands on. */
import type { Tree } from "@copse/tree";
import type { BudgetLimits } from "./connections/budgets.ts";
import type { ClassBudgets } from "./connections/holders.ts";
import type { Consensus, EnsembleOptions, EnsembleState } from "./ensemble/ensemble-options.ts";
import type { Tally } from "./figures/tally.ts";
import type { History } from "./following/history.ts";
import type { Applier } from "./order/applier.ts";
import type { Order } from "./order/order.ts";
import type { StateTime } from "./order/state-time.ts";
import type { Clock, Hash, Random } from "./ports.ts";
import type { Audit, Denied } from "./requests/audit.ts";
import type { AdmissionOptions } from "./sessions/admission.ts";
import type { PolicySettings } from "./sessions/policy.ts";
import type { Downloads } from "./snapshots/downloads.ts";
import type { Snapshots } from "./snapshots/snapshots.ts";
import type { Trace } from "./trace.ts";

export interface ReplicaOptions extends AdmissionOptions, Omit<EnsembleOptions, "limits"> {
  /** Differs each time the member starts. */
  readonly boot: string;
  /** How often the coordinator looks for containers and TTL znodes that are due, in milliseconds. */
  readonly reapMs: number;
  /** Is told of every write of this member's clients and of every credential that fails; null where nobody listens. */
  readonly audit: Audit | null;
  /** Is told of each request that was refused for want of a permission; null where nobody listens. */
  readonly denied: Denied | null;
  /** Is told what happens; null where nobody listens. */
  readonly trace: Trace | null;
  readonly budgets: BudgetLimits;
  /** What one identity, or one address, may hold and ask for. */
  readonly classes: ClassBudgets;
  /** Whom it lets in at first. */
  readonly policy: PolicySettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly hash: Hash;
}

export interface ReplicaState {
  readonly tree: Tree;
  readonly time: StateTime;
  readonly history: History;
  readonly applier: Applier;
  readonly order: Order;
  readonly consensus: Consensus;
  readonly snapshots: Snapshots;
  readonly downloads: Downloads;
  readonly tally: Tally;
  readonly found: EnsembleState["found"];
  /** Bytes that wait to be sent on a connection, as the gateway says; null where some wait in between. */
  readonly unsent: (connection: number) => number | null;
  readonly tellPeers: EnsembleState["tellPeers"];
  readonly edges: EnsembleState["edges"];
  /** The newest log entry that is known to be committed. */
  readonly committed: () => number;
  /** What 99 of 100 of the newest syncs stayed below, in milliseconds; null where there were none. */
  readonly syncMsP99: () => number | null;
}
