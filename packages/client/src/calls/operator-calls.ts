/**
 * What operators ask and change: quotas, members, sessions, queues, watchers, names, figures, time (SPEC I, O21, T).
 *
 * All but `quotas` and `ensemble` need admin on `/`.
 */
import type { MemberStats, Results, Revocation, ShownEnsemble, ShownQueue, ShownQuota, ShownSession, ShownWatcher } from "@copse/protocol";
import { decodeBase64 } from "./base64.ts";
import type { Call, CallOptions, PageOptions, WriteOptions } from "./call.ts";
import type { MemberWanted, Page, SearchPage } from "./inspection.ts";

export class OperatorCalls extends EventTarget {
  readonly #call: Call;

  constructor(call: Call) {
    super();
    this.#call = call;
  }

  /**
   * The quotas that this session may read, by path, and what is used of each. They are set as znodes below `/copse/quota`.
   * @example for (const { path, used } of await copse.quotas()) console.log(path, used.count, used.bytes);
   */
  async quotas(options: CallOptions = {}): Promise<readonly ShownQuota[]> {
    return (await this.#call({ op: "quotas" }, options, false)).quotas;
  }

  /**
   * The members, their roles and their state.
   * @param options.compare with what each member's tree hashes to, all at the zxid `comparedAt`; for admins. With a large tree it takes minutes.
   * @throws CopseError with `compare`: NO_AUTH; UNAVAILABLE where the members can't be asked
   * @example const { leader, members } = await copse.ensemble();
   */
  async ensemble({ compare, ...options }: CallOptions & { compare?: boolean } = {}): Promise<ShownEnsemble> {
    const { id: _id, zxid: _zxid, error: _, ...rest } = await this.#call({ op: "ensemble", compare }, options, false);
    return rest;
  }

  /**
   * All sessions, by id, in pages; `connection` is null where it is another member's.
   * @throws CopseError NO_AUTH without admin on `/`
   * @example const { sessions, total } = await copse.sessions({ limit: 100 });
   */
  async sessions({ after, limit, ...options }: PageOptions = {}): Promise<Page & { sessions: readonly ShownSession[] }> {
    const { sessions, total, more = false } = await this.#call({ op: "sessions", after, limit }, options, false);
    return { sessions, total, more };
  }

  /**
   * The queues of locks and elections, by path, in pages.
   * @throws CopseError NO_AUTH without admin on `/`
   * @example const { queues } = await copse.queues();
   */
  async queues({ after, limit, ...options }: PageOptions = {}): Promise<Page & { queues: readonly ShownQueue[] }> {
    const { queues, total, more = false } = await this.#call({ op: "queues", after, limit }, options, false);
    return { queues, total, more };
  }

  /**
   * Who watches this very path on the member that answers.
   * @throws CopseError NO_AUTH without admin on `/`
   * @example const addresses = (await copse.watchers("/app/title")).map(({ address }) => address);
   */
  async watchers(path: string, options: CallOptions = {}): Promise<readonly ShownWatcher[]> {
    return (await this.#call({ op: "watchers", path }, options, false)).watchers;
  }

  /**
   * Names below `path` that contain a text, upper and lower case alike, a page at a time; one page may hold none and still have more after it.
   * @throws CopseError NO_AUTH without admin on `/`, NO_NODE
   * @example const { paths, after } = await copse.search("/", "title");
   */
  async search(path: string, contains: string, { after, limit, ...options }: PageOptions = {}): Promise<SearchPage> {
    const { paths, looked, after: next = null } = await this.#call({ op: "search", path, contains, after, limit }, options, false);
    return { paths, looked, after: next };
  }

  /**
   * The figures of the member that answers (SPEC I5).
   * @throws CopseError NO_AUTH without admin on `/`
   * @example const { role, syncMsP99 } = await copse.stats();
   */
  async stats(options: CallOptions = {}): Promise<MemberStats> {
    return (await this.recent({}, options)).stats;
  }

  /**
   * The figures of the member that answers, with those of its last hour that were taken after the time `history`, in milliseconds since the
   * epoch, and the newest changes after the zxid `changes`, with who made them (SPEC I5).
   * @throws CopseError NO_AUTH without admin on `/`
   * @example const { changes } = await copse.recent({ changes: 0 });
   */
  async recent(wanted: { history?: number; changes?: number }, options: CallOptions = {}): Promise<Results["stats"]> {
    return this.#call({ op: "stats", ...wanted }, options, false);
  }

  /**
   * A chunk of a snapshot of the whole state, as it stands on the disk of the member that answers; for admins. At offset 0 a new one is taken.
   * The bytes of all chunks, in order, are a file for `copse snapshot restore`.
   * @throws CopseError NO_AUTH; THROTTLED where too many are being read; BAD_ARGUMENTS where it has to begin anew
   * @example const { data, more } = await copse.snapshot(0);
   */
  async snapshot(offset: number, options: CallOptions = {}): Promise<{ readonly data: Uint8Array; readonly more: boolean }> {
    const { data64, more = false } = await this.#call({ op: "snapshot", offset }, options, false);
    return { data: decodeBase64(data64), more };
  }

  /**
   * Takes an identity, as text, from whoever has it, with all that the same credentials have proved, and refuses those from now on; for admins.
   * The sessions end, unless `keepSessions` is set. `before: 0` lifts it.
   * @param options.before milliseconds since the epoch: only credentials issued before that
   * @throws CopseError NO_AUTH
   * @example await copse.revoke("token acme:mallory");
   */
  async revoke(
    identity: string,
    { before, keepSessions, guard, ...options }: WriteOptions & { before?: number; keepSessions?: boolean } = {},
  ): Promise<void> {
    await this.#call({ op: "revoke", identity, before, sessions: keepSessions === true ? "keep" : undefined, guard }, options, true);
  }

  /**
   * The revocations that hold, in the order in which they were said; for admins. Times are milliseconds since the epoch.
   * @example for (const { identity, at } of await copse.revoked()) console.log(identity, new Date(at));
   */
  async revoked(options: CallOptions = {}): Promise<readonly Revocation[]> {
    return (await this.#call({ op: "revoked" }, options, false)).list;
  }

  /**
   * Ends a session as if its timeout had passed; for admins.
   * @throws CopseError NO_AUTH, SESSION_EXPIRED where there is none
   * @example for (const { id } of (await copse.sessions()).sessions) if (id !== copse.sessionId) await copse.endSession(id);
   */
  async endSession(session: string, { guard, ...options }: WriteOptions = {}): Promise<void> {
    await this.#call({ op: "endSession", session, guard }, options, true);
  }

  /**
   * Changes who is a member; for admins. A new voter votes once it runs and has caught up. `force` (super alone) does it although too few of
   * the voters that stay are linked. Members in `drain` take no clients and do not lead, until they are in `undrain`; `lead` names who leads.
   * @throws CopseError NO_AUTH, BAD_VERSION, RECONFIG_IN_PROGRESS, NO_QUORUM_IN_NEW_CONFIG, BAD_ARGUMENTS
   * @example
   * const { version } = await copse.ensemble();
   * await copse.reconfig({ add: [{ id: "1", role: "voter" }], version });
   */
  async reconfig(
    change: {
      add?: readonly MemberWanted[];
      remove?: readonly string[];
      drain?: readonly string[];
      undrain?: readonly string[];
      lead?: string;
      version?: number;
      force?: boolean;
    },
    { guard, ...options }: WriteOptions = {},
  ): Promise<ShownEnsemble> {
    const { id: _id, zxid: _zxid, error: _, ...rest } = await this.#call({ op: "reconfig", ...change, guard }, options, true);
    return rest;
  }

  /**
   * Moves the state's time (ctime, mtime, TTLs) ahead to the wall clock of the member that answers, at once; for admins. Without it the time
   * runs a tenth faster until it meets the clock. It never goes back: a time that is ahead of the clock stays, and runs a tenth slower.
   * @returns the state's time after it, in milliseconds since the epoch
   * @throws CopseError NO_AUTH, UNAVAILABLE while a member is of a build that does not know this
   * @example const now = new Date(await copse.stepTime());
   */
  async stepTime({ guard, ...options }: WriteOptions = {}): Promise<number> {
    return (await this.#call({ op: "stepTime", guard }, options, true)).time;
  }
}
