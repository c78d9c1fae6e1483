/**
 * A work queue: each job is done at least once, by one worker at a time.
 *
 * A job is a sequential znode below `jobs`; the worker that takes it holds an ephemeral of the same name below `leases`. Invariants: one lease
 * for each job; a job goes only together with its lease, in one txn, so a worker that has lost its lease can't declare the job done. Takers
 * queue for a lock, and its holder alone looks: a new job, or one that is given back, wakes one worker.
 *
 * Failure story: a worker that crashes keeps its job until its session expires; then it is given again, at its place in the order, with the next
 * `attempt`. What the worker did before it crashed, happened: give `token` to whatever the job changes, or make it harmless to repeat.
 */
/// <reference lib="esnext.disposable" preserve="true" />

import { type CallOptions, type Copse, CopseError, type Data, type Guard, isCopseError, lookingSignal } from "@copse/client";
import { lock } from "./lock.ts";
import { type WaitOptions, withinTime } from "./waiting/acquire.ts";
import { joined, whileNone } from "./waiting/joined.ts";
import { createOwned, type OwnedOptions } from "./waiting/owned.ts";
import { ignoreFailure, removeOwn, vanished } from "./waiting/place.ts";
import { untilSeen } from "./waiting/until-seen.ts";
import { wholeList } from "./waiting/whole-list.ts";

export interface WorkQueueOptions extends OwnedOptions {
  /** Jobs that may wait or run; more are refused. 10 000 unless said otherwise. Producers who put at once may pass it by their number. */
  readonly jobsMax?: number;
  /** A worker that holds a job for so many milliseconds gives it back, and its signal aborts. Never, unless said otherwise. */
  readonly leaseMs?: number;
}

export interface Job {
  readonly path: string;
  readonly data: string | null;
  readonly bytes: Uint8Array | null;
  /** 1 the first time that it is given to a worker. */
  readonly attempt: number;
  /** Grows with each lease of this job. */
  readonly token: number;
  /** Aborts before the job can be given to anybody else. */
  readonly signal: AbortSignal;
  /** Makes a write hold only while the lease is held. */
  readonly guard: Guard;
  /** The job is done and goes. @throws CopseError GUARD_FAILED if the lease was lost: another worker has the job */
  done(): Promise<void>;
  /** Gives the job back undone. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface WorkQueue {
  /** Adds a job at the end. Gives its path. @throws CopseError QUOTA_EXCEEDED where there are `jobsMax` */
  put(data: Data, options?: CallOptions): Promise<string>;
  /** Waits for a job. @throws CopseError TIMEOUT, SESSION_EXPIRED; the signal's reason */
  take(options?: Pick<WaitOptions, "signal" | "waitMs">): Promise<Job>;
  /** How many wait or run. */
  size(options?: CallOptions): Promise<number>;
}

/**
 * The queue at `path`: jobs are taken in the order in which they were put, each by one taker at a time.
 * @example
 * const jobs = workQueue(copse, "/queues/resize");
 * await jobs.put("a.png");
 * const job = await jobs.take({ waitMs: 30_000 });
 * console.log(job.data, job.attempt);
 * await job.done();
 */
export function workQueue(copse: Copse, path: string, { jobsMax = 10_000, leaseMs, acl = copse.acl }: WorkQueueOptions = {}): WorkQueue {
  const jobs = `${path}/jobs`;
  const size = async (options: CallOptions = {}): Promise<number> => (await copse.exists(jobs, options))?.numChildren ?? 0;
  return {
    size,
    put: async (data, options = {}) => {
      if ((await size(options)) >= jobsMax) throw new CopseError("QUOTA_EXCEEDED", `${jobsMax} jobs wait or run`, { path });
      return (await createOwned(copse, `${jobs}/job-`, data, { ...options, acl, sequential: true })).path;
    },
    take: (options = {}) =>
      withinTime(copse, path, options, async (signal) => {
        await createOwned(copse, jobs, null, { acl, signal }).catch(unlessThere);
        await copse.create(`${path}/leases`, null, { acl, signal }).catch(unlessThere);
        const turn = await lock(copse, `${path}/takers`, { acl, signal });
        try {
          const look = (ended: AbortSignal) => (): Promise<Job | null> => leaseFirst(copse, path, { leaseMs, acl }, turn.guard, ended);
          return await whileNone([signal, turn.signal], (ended) => untilSeen(copse, [jobs, `${path}/leases`], ended, look(ended)));
        } finally {
          turn.close().catch(ignoreFailure);
        }
      }),
  };
}

/** Leases the first job that nobody has; null where there is none. The caller is the only one who does so. */
async function leaseFirst(
  copse: Copse,
  path: string,
  options: { readonly leaseMs: number | undefined; readonly acl: WorkQueueOptions["acl"] },
  turn: Guard,
  signal: AbortSignal,
): Promise<Job | null> {
  const { leaseMs, acl } = options;
  const leased = new Set(await wholeList(copse, `${path}/leases`, { signal }));
  // Among one more than are leased there is a free one, if there is any.
  const { children } = await copse.children(`${path}/jobs`, { signal, limit: leased.size + 1 });
  const name = children.find((candidate) => !leased.has(candidate));
  if (name === undefined) return null;
  const [job, lease] = [`${path}/jobs/${name}`, `${path}/leases/${name}`];
  const session = copse.sessionSignal;
  try {
    const { data, bytes, stat } = await copse.get(job, { signal });
    // Writing it anew counts the attempts in its version.
    const ops = [
      { op: "create", path: lease, ephemeral: true, ...(acl === undefined ? {} : { acl }) },
      { op: "set", path: job, data: bytes ?? data, version: stat.version },
    ] as const;
    const [leasing] = await copse.multi(ops, { signal, guard: turn });
    const held = { path: job, data, bytes, attempt: stat.version + 1, guard: { path: lease, czxid: leasing.stat.czxid } };
    return hold(copse, held, session, leaseMs);
  } catch (error) {
    // Taken away by an operator, or done by one whose lease had just ended: look again.
    if ((["NO_NODE", "BAD_VERSION", "NODE_EXISTS"] as const).some((code) => isCopseError(error, code))) {
      return leaseFirst(copse, path, options, turn, signal);
    }
    // Given up on the way: the lease may have been granted all the same, and must not outlive this.
    if (signal.aborted && !session.aborted) copse.delete(lease, { guard: turn }).catch(ignoreFailure);
    throw error;
  }
}

function hold(
  copse: Copse,
  job: Pick<Job, "path" | "data" | "bytes" | "attempt" | "guard">,
  session: AbortSignal,
  leaseMs: number | undefined,
): Job {
  const { guard } = job;
  const ended = new AbortController();
  const until = leaseMs === undefined ? Number.POSITIVE_INFINITY : copse.clock.now() + leaseMs;
  let isEnded = false;
  let cancel = (): void => {};
  const end = (code: "CLOSED" | "TIMEOUT" | "SESSION_EXPIRED", why: string): void => {
    isEnded = true;
    cancel();
    ended.abort(new CopseError(code, why, { path: job.path }));
  };
  const release = async (): Promise<void> => {
    await removeOwn(copse, guard, session);
  };
  const late = (): void => {
    end("TIMEOUT", `the job was held for ${leaseMs} ms`);
    release().catch(ignoreFailure);
  };
  if (leaseMs !== undefined) cancel = copse.clock.after(leaseMs, late);
  // A look at the signal finds a lease that is over, however late the timer is.
  const look = (): void => {
    if (!isEnded && copse.clock.now() >= until) late();
  };
  const { signal } = joined(session, lookingSignal(ended, look));
  vanished(copse, guard.path, signal).then(() => end("SESSION_EXPIRED", "the lease was deleted"), ignoreFailure);
  const close = async (): Promise<void> => {
    if (ended.signal.aborted) return;
    end("CLOSED", "the job was given back");
    await release();
  };
  return {
    ...job,
    token: guard.czxid,
    signal,
    done: async () => {
      signal.throwIfAborted();
      const ops = [
        { op: "delete", path: job.path },
        { op: "delete", path: guard.path },
      ] as const;
      await copse.multi(ops, { guard });
      end("CLOSED", "the job is done");
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function unlessThere(error: unknown): void {
  if (!isCopseError(error, "NODE_EXISTS")) throw error;
}
