/**
 * Is there an order of these operations, each within its time, in which a single register would give the same answers?
 *
 * The search of Wing and Gong (1993) with the memory of Lowe (2017): operations are tried in turn, what was tried with the
 * same set done and the same state is not tried again. Histories are checked one znode at a time, because linearizability
 * is local (Herlihy and Wing, 1990).
 */

/** What an operation did, as its caller saw it. Times need only be in order; equal ones count as overlapping. */
export interface Operation<State> {
  readonly calledAt: number;
  /** Infinity where its outcome is unknown: it may take effect at any time after the call, or never. */
  readonly returnedAt: number;
  /** The state after it, or undefined where the answer that was seen is impossible in this state. */
  readonly step: (state: State) => State | undefined;
}

interface Point {
  readonly operation: number;
  readonly isCall: boolean;
  before: Point | null;
  next: Point | null;
  /** The return that belongs to a call. */
  end: Point | null;
}

/** @param keyOf text that tells two states apart */
export function isLinearizable<State>(operations: readonly Operation<State>[], initial: State, keyOf: (state: State) => string): boolean {
  const head = pointsOf(operations);
  const tried = new Set<string>();
  const path: { readonly call: Point; readonly state: State }[] = [];
  let done = 0n;
  let state = initial;
  let point = head.next;
  while (head.next !== null) {
    if (point?.isCall === true) {
      const next = operations[point.operation]!.step(state);
      const bits = done | (1n << BigInt(point.operation));
      const key = next === undefined ? "" : `${bits.toString(36)} ${keyOf(next)}`;
      if (next === undefined || tried.has(key)) {
        point = point.next;
        continue;
      }
      tried.add(key);
      path.push({ call: point, state });
      done = bits;
      state = next;
      lift(point);
      point = head.next;
      continue;
    }
    // The end of an operation that is not done yet: something before it was taken in the wrong order.
    const last = path.pop();
    if (last === undefined) return false;
    done &= ~(1n << BigInt(last.call.operation));
    state = last.state;
    putBack(last.call);
    point = last.call.next;
  }
  return true;
}

/** Calls and returns in the order of their times, after a head. What never returned ends after everything else. */
function pointsOf<State>(operations: readonly Operation<State>[]): Point {
  const points = operations.flatMap(({ calledAt, returnedAt }, operation) => {
    const end: Point = { operation, isCall: false, before: null, next: null, end: null };
    const call: Point = { operation, isCall: true, before: null, next: null, end };
    return [
      { at: calledAt, order: 0, point: call },
      { at: returnedAt, order: 1, point: end },
    ];
  });
  points.sort((a, b) => (a.at === b.at ? a.order - b.order : a.at < b.at ? -1 : 1));
  const head: Point = { operation: -1, isCall: false, before: null, next: null, end: null };
  let last = head;
  for (const { point } of points) {
    last.next = point;
    point.before = last;
    last = point;
  }
  return head;
}

function unlink(point: Point): void {
  point.before!.next = point.next;
  if (point.next !== null) point.next.before = point.before;
}

function link(point: Point): void {
  point.before!.next = point;
  if (point.next !== null) point.next.before = point;
}

function lift(call: Point): void {
  unlink(call);
  unlink(call.end!);
}

function putBack(call: Point): void {
  link(call.end!);
  link(call);
}

/** A register that is read, written, and swapped where it holds what was expected. */
export type RegisterState = string | null;
export type RegisterOperation = Pick<Operation<RegisterState>, "calledAt" | "returnedAt"> &
  (
    | { readonly kind: "read"; readonly saw: RegisterState }
    | { readonly kind: "write"; readonly value: RegisterState }
    /** `outcome` is null where it is unknown. */
    | { readonly kind: "cas"; readonly from: RegisterState; readonly to: RegisterState; readonly outcome: boolean | null }
  );

export function isRegisterLinearizable(history: readonly RegisterOperation[], initial: RegisterState = null): boolean {
  const operations = history.map((operation) => ({ ...operation, step: stepOf(operation) }));
  return isLinearizable(operations, initial, (state) => (state === null ? "" : `=${state}`));
}

function stepOf(operation: RegisterOperation): (state: RegisterState) => RegisterState | undefined {
  switch (operation.kind) {
    case "read":
      return (state) => (state === operation.saw ? state : undefined);
    case "write":
      return () => operation.value;
    case "cas": {
      const { from, to, outcome } = operation;
      return (state) => {
        const isHit = state === from;
        if (outcome !== null && outcome !== isHit) return undefined;
        return isHit ? to : state;
      };
    }
  }
}
