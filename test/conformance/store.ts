/**
 * What a script plays on: a store of znodes, asked in the words of copse's protocol, whatever it speaks itself.
 */
import type { AclItem, Stat } from "@copse/protocol";

/** A request of copse's protocol without its id. */
// biome-ignore lint/suspicious/noExplicitAny: requests and replies are JSON
export type Request = { readonly op: string } & Readonly<Record<string, any>>;

/** A reply without id, numbers of txns and sessions replaced by labels; `error` is a code. */
// biome-ignore lint/suspicious/noExplicitAny: requests and replies are JSON
export type Outcome = Record<string, any>;

export interface StoreEvent {
  readonly event: string;
  readonly path: string;
}

export interface Armed {
  readonly data: readonly string[];
  readonly exist: readonly string[];
  readonly child: readonly string[];
  readonly recursive?: readonly string[];
}

export interface StoreSession {
  /** Sends one request and waits for its reply. */
  ask(request: Request): Promise<Outcome>;
  /** Events since the last call, in order. `own` came before the reply to the last request of this session. */
  takeEvents(): { readonly own: StoreEvent[]; readonly others: StoreEvent[] };
  /** Loses the connection; the session lives. */
  cut(): Promise<void>;
  /** Resumes the session with these watches, as they stood when the connection was lost. */
  resume(armed: Armed): Promise<void>;
  /** Ends the session. */
  close(): Promise<void>;
}

export interface Store {
  readonly name: string;
  open(timeoutMs: number): Promise<StoreSession>;
  /** Numbers become labels anew: a new script begins. */
  begin(): void;
  /** Every zxid met since `begin`, in the order of their labels. */
  readonly zxids: readonly number[];
  stop(): Promise<void>;
}

/** What both stores say of a znode. */
export type PlainStat = Omit<Stat, "ttl" | "container">;

/** Gives the same names to what is the same, in the order in which it is met: so two stores can be compared. */
export class Labels {
  readonly #zxids: Map<number, number> = new Map();
  readonly #owners: Map<string, number> = new Map();

  get zxids(): number[] {
    return [...this.#zxids.keys()];
  }

  zxid(zxid: number): number {
    return label(this.#zxids, zxid);
  }

  stat(stat: PlainStat): Outcome {
    const { czxid, mzxid, pzxid, ctime, mtime, ephemeralOwner, ...counts } = stat;
    return {
      ...counts,
      czxid: this.zxid(czxid),
      mzxid: this.zxid(mzxid),
      pzxid: this.zxid(pzxid),
      isTimeInOrder: ctime <= mtime,
      isTimeUntouched: mzxid !== czxid || ctime === mtime,
      owner: ephemeralOwner === null ? null : label(this.#owners, ephemeralOwner),
    };
  }
}

function label<T>(known: Map<T, number>, value: T): number {
  const found = known.get(value);
  if (found !== undefined) return found;
  known.set(value, known.size + 1);
  return known.size;
}

/** An ACL in one spelling, sorted: ZooKeeper keeps no order among the identities that `auth` stands for. */
export function plainAcl(acl: readonly AclItem[]): string[] {
  const order = ["read", "write", "create", "delete", "admin"];
  const text = ({ scheme, id, perms }: AclItem): string =>
    `${scheme}:${id}:${order.filter((perm) => (perms as readonly string[]).includes(perm)).join()}`;
  return acl.map(text).sort();
}
