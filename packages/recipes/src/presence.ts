/**
 * Presence: who else is here, and whether they look.
 *
 * Each tab of a participant is an ephemeral below the room's path, with what it says of itself and its state: `online`, `hidden` while its
 * page is in the background, `suspended` once its page was frozen or put aside, `gone` for a moment after it has left.
 * Tabs with the same id are one participant. Its state is that of the tab with the most attention, its `user` the one written last.
 * Invariants: a participant is seen by all from the moment `presence` resolves; it comes back by itself after a lost session, as the
 * same participant. A participant that vanishes is shown as gone for `goneMs`, so that a reload causes no flicker.
 *
 * Failure story: a page that crashes is seen in its last state until its session expires. While this client has no
 * connection, `others` stays as it was; `others.status` and the client's state say so.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import { type Copse, liveStore, type Store } from "@copse/client";
import { nameOf } from "@copse/client/path";
import { nanoid } from "nanoid";
import { type KeepOptions, persistentEphemeral } from "./persistent-ephemeral.ts";
import { liveChildren } from "./waiting/live-children.ts";

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
  /** The same in every session, and in every tab that is to be the same participant; random unless given. */
  readonly id?: string;
  /** How long those who left are shown as gone, in milliseconds; 3 000 unless said otherwise. */
  readonly goneMs?: number;
  readonly attention?: Attention;
}

export interface Room<User> {
  readonly id: string;
  /** All participants but this one, in the order of their ids. */
  readonly others: Store<readonly Participant<User>[]>;
  /** Aborts once this participant is kept here no more. */
  readonly signal: AbortSignal;
  /** Changes what the others know. */
  update(user: User): Promise<void>;
  /** Leaves. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Enters the room at `path`. Resolves once the others can see it.
 * @example
 * const room = await presence(copse, "/presence/doc-42", { user: { name: "Ann" } });
 * room.others.subscribe((users) => console.log(users.length))();
 * await room.close();
 */
export async function presence<User>(copse: Copse, path: string, options: PresenceOptions<User>): Promise<Room<User>> {
  const tab = nanoid(12);
  const { id = tab, goneMs = 3_000, attention = pageAttention, signal, acl } = options;
  let { user } = options;
  let state = attention.state();
  const said = (): string => JSON.stringify({ id, user, state });
  const kept = await persistentEphemeral(copse, `${path}/${tab}`, said(), { signal, acl });
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

/** What one tab says of its participant, and when it said so. */
interface Tab<User> {
  readonly participant: Participant<User>;
  readonly mzxid: number;
}

const attentionOf: readonly PresenceState[] = ["suspended", "hidden", "online"];

/** One for each id; one that says what it said before is the same object. */
function participantsOf<User>(tabs: readonly Tab<User>[], before: readonly Participant<User>[]): readonly Participant<User>[] {
  const newest = new Map<string, Tab<User>>();
  for (const tab of tabs) {
    const { id, state } = tab.participant;
    const known = newest.get(id);
    if (known === undefined) {
      newest.set(id, tab);
      continue;
    }
    const last = tab.mzxid > known.mzxid ? tab : known;
    const most = attentionOf.indexOf(state) > attentionOf.indexOf(known.participant.state) ? state : known.participant.state;
    newest.set(id, last.participant.state === most ? last : { ...last, participant: { ...last.participant, state: most } });
  }
  const known = new Map(before.map((participant) => [participant.id, participant]));
  return [...newest.values()].map(({ participant }) => {
    const same = known.get(participant.id);
    return same?.user === participant.user && same.state === participant.state ? same : participant;
  });
}

function othersIn<User>(copse: Copse, path: string, own: string, goneMs: number): Store<readonly Participant<User>[]> {
  const tabs = liveChildren(copse, path, (znode): Tab<User> | undefined => {
    const { id = nameOf(znode.path), user, state } = JSON.parse(znode.data ?? "") as { id?: unknown; user: User; state: unknown };
    const shown = state === "hidden" || state === "suspended" ? state : "online";
    return id === own || typeof id !== "string" ? undefined : { participant: { id, user, state: shown }, mzxid: znode.stat.mzxid };
  });
  return liveStore<readonly Participant<User>[]>([], (sink) => {
    let before: readonly Participant<User>[] = [];
    let present: readonly Participant<User>[] = [];
    const gone = new Map<string, { readonly participant: Participant<User>; readonly cancel: () => void }>();
    const show = (): void => {
      const left = [...gone.values()].map(({ participant }) => participant);
      sink.live([...present, ...left].sort((a, b) => (a.id < b.id ? -1 : 1)));
    };
    const stop = tabs.subscribe((shown) => {
      // Before the first answer it says what it knew when it was last followed.
      if (tabs.status === "waiting") return;
      const now = participantsOf(shown, present);
      present = now;
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
      if (tabs.status === "denied") sink.denied(path);
      else if (tabs.error !== null && tabs.status === "failed") sink.failed(tabs.error);
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
      // The next question comes from a page that runs, though it has not been heard to come back.
      isPutAside = false;
    };
  },
};
/** The page is one, so this is too. */
let isPutAside = false;
