/**
 * What clients may hold and ask for: the budgets of one member, by whether strangers can reach it.
 *
 * Where nobody but this machine's users comes, no address has a bound of its own; the process has its own everywhere. The share of an
 * address is a quarter of the process's: one stranger leaves room for others.
 */
import { getHeapStatistics } from "node:v8";
import { type BudgetLimits, type ClassBudget, type ClassBudgets, type IdentityClass, openBudgets, openClassBudget } from "@copse/replica";

export interface ServerBudgets extends BudgetLimits {
  /** Open connections; fewer where the host allows fewer files. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Credentials of one address that wait to be derived. */
  readonly derivationsPerAddress: number;
  /** Wrong super passwords of one address in a minute. */
  readonly superFailuresPerMinute: number;
}

/** Of the heap's limit: requests wait as text several times over until they are durable. */
const heapShare = 8;
const addressShare = 4;

const heldBytes: number = Math.max(67_108_864, Math.floor(getHeapStatistics().heap_size_limit / heapShare));

/** The bounds where strangers may come. */
export const defaultBudgets: ServerBudgets = {
  receivedBytes: heldBytes,
  receivedBytesPerAddress: Math.floor(heldBytes / addressShare),
  unsentBytes: heldBytes,
  unsentBytesPerAddress: Math.floor(heldBytes / addressShare),
  followedBytes: heldBytes,
  followedBytesPerAddress: Math.floor(heldBytes / addressShare),
  sessionsPerAddress: 5_000,
  subscriptionsAnonymous: 500,
  requestsPerSecond: 5_000,
  requestsBurst: 20_000,
  bytesPerSecond: 16_777_216,
  bytesBurst: 67_108_864,
  stallMs: 30_000,
  connections: 50_000,
  connectionsPerAddress: 5_000,
  derivationsPerAddress: 500,
  superFailuresPerMinute: 30,
};

/**
 * The bounds of one identity where strangers may come, by its class. An address without a name may be that of many people; a name is one's.
 */
export const defaultClassBudgets: ClassBudgets = {
  anonymous: {
    connections: 5_000,
    watches: 500_000,
    subscriptions: 100_000,
    sessions: Number.POSITIVE_INFINITY,
    znodes: 100_000,
    createdBytes: 268_435_456,
    ephemerals: 50_000,
    requestsPerSecond: 20_000,
    requestsBurst: 80_000,
    bytesPerSecond: 67_108_864,
    bytesBurst: 268_435_456,
  },
  authenticated: {
    connections: 2_000,
    watches: 200_000,
    subscriptions: 50_000,
    sessions: 1_000,
    znodes: 100_000,
    createdBytes: 268_435_456,
    ephemerals: 20_000,
    requestsPerSecond: 10_000,
    requestsBurst: 40_000,
    bytesPerSecond: 33_554_432,
    bytesBurst: 134_217_728,
  },
  admin: openClassBudget,
};

/** The bounds of each class: those that are given, and defaults for the rest. */
export function classBudgetsOf(given: Partial<Record<IdentityClass, Partial<ClassBudget>>>, isTrusting: boolean): ClassBudgets {
  const of = (kind: IdentityClass): ClassBudget => ({ ...(isTrusting ? openClassBudget : defaultClassBudgets[kind]), ...given[kind] });
  return { anonymous: of("anonymous"), authenticated: of("authenticated"), admin: of("admin") };
}

/** The bounds of a member: those that are given, and defaults for the rest. */
export function budgetsOf(given: Partial<ServerBudgets>, isTrusting: boolean): ServerBudgets {
  const { receivedBytes, unsentBytes, followedBytes, connections } = defaultBudgets;
  const none = Number.POSITIVE_INFINITY;
  const trusting: ServerBudgets = {
    ...openBudgets,
    receivedBytes,
    unsentBytes,
    followedBytes,
    connections,
    connectionsPerAddress: none,
    derivationsPerAddress: none,
    superFailuresPerMinute: 1_000,
  };
  return { ...(isTrusting ? trusting : defaultBudgets), ...given };
}
