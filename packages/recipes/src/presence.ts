/**
 * Presence: who else is here, and whether they look.
 *
 * Each participant is an ephemeral below the room's path, with what it says of itself and its state: `online`, `hidden` while its
 * page is in the background, `suspended` once its page was frozen or put aside, `gone` for a moment after it has left.
 * Invariants: a participant is seen by all from the moment `presence` resolves; it comes back by itself after a lost session, as the
 * same participant. Whoever vanishes is shown as gone for `goneMs`, so that nobody flickers over a reload.
 *
 * Failure story: a page that crashes is seen in its last state until its session expires. While this client has no
 * connection, `others` stays as it was; `others.status` and the client's state say so.
 */
import { type Copse, liveStore, type Store } from "@copse/client";
import { nanoid } from "nanoid";
import { liveChildren, nameOf } from "./live-children.ts";
import { type KeepOptions, persistentEphemeral } from "./persistent-ephemeral.ts";

export type PresenceState = "online" | "hidden" | "suspended" | "gone";

export interface Participant<User> {
  readonly id: string;
  readonly user: User;
  readonly state: PresenceState;
}

/** What says whether anybody looks: the page, unless a test or another host does. */
export interface Attention {
  readonly state: () => Exclude<PresenceState, "gone">;
  /** Calls `look` whenever that may have changed; gives what stops it. */
  readonly onChange: (look: () => void) => () => void;
}

export interface PresenceOptions<User> extends KeepOptions {
  /** What the others are to know, as JSON. */
  readonly user: User;
  /** The same in every session; random unless given. */
  readonly id?: string;
  /** How long those who left are shown as gone, in milliseconds; 3 000 unless said otherwise. */
  readonly goneMs?: number;
  readonly attention?: Attention;
}

export interface Room<User> {
  readonly id: string;
  /** Everybody but this participant, in the order of their ids. */
  readonly others: Store<readonly Participant<User>[]>;
  /** Aborts once this participant is kept here no more. */
  readonly signal: AbortSignal;
  /** Changes what the others know. */
  update(user: User): Promise<void>;
  /** Leaves. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Enters the room at `path`. Resolves once the others can see it. */
export async function presence<User>(copse: Copse, path: string, options: PresenceOptions<User>): Promise<Room<User>> {
  const { id = nanoid(), goneMs = 3_000, attention = pageAttention, signal, acl } = options;
  let { user } = options;
  let state = attention.state();
  const said = (): string => JSON.stringify({ user, state });
  const kept = await persistentEphemeral(copse, `${path}/${id}`, said(), { signal, acl });
  const look = (): void => {
    const now = attention.state();
    if (now === state) return;
    state = now;
    // Without a connection the next session says it.
    kept.set(said()).catch(() => {});
  };
  const stopLooking = attention.onChange(look);
  // What has changed while it was made.
  look();
  const close = async (): Promise<void> => {
    stopLooking();
    await kept.close();
  };
  return {
    id,
    others: othersIn<User>(copse, path, id, goneMs),
    signal: kept.signal,
    update: async (changed) => {
      user = changed;
      await kept.set(said());
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function othersIn<User>(copse: Copse, path: string, own: string, goneMs: number): Store<readonly Participant<User>[]> {
  const present = liveChildren(copse, path, (znode): Participant<User> | undefined => {
    const id = nameOf(znode.path);
    const { user, state } = JSON.parse(znode.data ?? "") as { user: User; state: unknown };
    return id === own ? undefined : { id, user, state: state === "hidden" || state === "suspended" ? state : "online" };
  });
  return liveStore<readonly Participant<User>[]>([], (sink) => {
    let before: readonly Participant<User>[] = [];
    const gone = new Map<string, { readonly participant: Participant<User>; readonly cancel: () => void }>();
    const show = (): void => {
      const left = [...gone.values()].map(({ participant }) => participant);
      sink.live([...present.get(), ...left].sort((a, b) => (a.id < b.id ? -1 : 1)));
    };
    const stop = present.subscribe((now) => {
      // Before the first answer it says what it knew when it was last followed.
      if (present.status === "waiting") return;
      const ids = new Set(now.map(({ id }) => id));
      for (const participant of before) {
        if (ids.has(participant.id) || gone.has(participant.id) || goneMs <= 0) continue;
        const forget = (): void => {
          gone.delete(participant.id);
          show();
        };
        gone.set(participant.id, { participant: { ...participant, state: "gone" }, cancel: copse.clock.after(goneMs, forget) });
      }
      for (const id of ids) {
        gone.get(id)?.cancel();
        gone.delete(id);
      }
      before = now;
      if (present.error !== null && present.status === "failed") sink.failed(present.error);
      else show();
    });
    return () => {
      stop();
      for (const { cancel } of gone.values()) cancel();
    };
  });
}

/** A page's own: visible or not, and the last word of one that is frozen or put into the back-forward cache. */
const pageAttention: Attention = {
  state: () => {
    if (isPutAside) return "suspended";
    return globalThis.document?.visibilityState === "hidden" ? "hidden" : "online";
  },
  onChange: (look) => {
    const page = globalThis.document;
    if (page === undefined) return () => {};
    const putAside = (isAside: boolean) => () => {
      isPutAside = isAside;
      look();
    };
    const events: readonly (readonly [EventTarget, string, () => void])[] = [
      [page, "visibilitychange", look],
      [page, "freeze", putAside(true)],
      [page, "resume", putAside(false)],
      [globalThis.window, "pagehide", putAside(true)],
      [globalThis.window, "pageshow", putAside(false)],
    ];
    for (const [target, name, listener] of events) target.addEventListener(name, listener);
    return () => {
      for (const [target, name, listener] of events) target.removeEventListener(name, listener);
      // Who asks next has not heard the page come back, and it runs.
      isPutAside = false;
    };
  },
};
/** The page is one, so this is too. */
let isPutAside = false;
