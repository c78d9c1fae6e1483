/**
 * Strangers who do not send rubbish: they hold. A connect that waits while frames pile up after it, a reader that never reads, many reads under
 * one ACL of a hundred networks, a frame of subscriptions over whatever there is.
 */
import type { Prng } from "@copse/testing/simulation";
import { frame, upgraded } from "../support/raw-socket.ts";

const kinds = ["held", "deaf", "networks", "subscriber"] as const;
export type StrangerKind = (typeof kinds)[number];

/** Milliseconds for which one goes on, unless it is closed before. */
const staysMs = 500;

/** One stranger, from its connection to its end. Gives what it was. */
export async function stranger(port: number, random: Prng): Promise<StrangerKind> {
  const kind = random.pick(kinds);
  const socket = await upgraded(port);
  let isClosed = false;
  const closed = new Promise<void>((resolve) =>
    socket.on("close", () => {
      isClosed = true;
      resolve();
    }),
  );
  socket.on("error", () => {});
  socket.on("end", () => socket.destroy());
  if (kind === "deaf") socket.pause();
  else socket.resume();
  for (const text of framesOf(kind, random)) {
    if (isClosed) break;
    if (!socket.write(frame(1, Buffer.from(text))))
      await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), closed, pause()]);
  }
  await Promise.race([closed, pause()]);
  socket.destroy();
  return kind;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, staysMs));
}

function framesOf(kind: StrangerKind, random: Prng): readonly string[] {
  const connect = (members: object): string => JSON.stringify({ id: 1, op: "connect", timeout: 1_000, ...members });
  switch (kind) {
    case "held": {
      const padding = "[],".repeat(random.pick([1_000, 100_000]));
      const held = Array.from({ length: 30 }, (_, at) => `{"id":${at + 2},"op":"get","path":"/","x":[${padding}0]}`);
      return [connect({ lastZxid: Number.MAX_SAFE_INTEGER }), ...held];
    }
    case "deaf": {
      const asked = Array.from({ length: 30 }, (_, at) => ({ id: at + 2, op: "subscribe", path: "/", scope: "tree" }));
      const reads = Array.from({ length: 300 }, (_, at) => ({ id: at + 100, op: "children", path: "/", stats: true }));
      return [connect({ readOnly: true }), JSON.stringify(asked), JSON.stringify(reads)];
    }
    case "networks": {
      const acl = Array.from({ length: 100 }, (_, at) => ({ perms: ["read", "delete"], scheme: "ip", id: `10.${at}.0.0/16` }));
      const path = "/fuzz/networks";
      const ops = Array.from({ length: 5_000 }, () => ({ op: "exists", path }));
      return [connect({}), JSON.stringify({ id: 2, op: "create", path, acl }), JSON.stringify({ id: 3, op: "read", ops })];
    }
    case "subscriber": {
      const asked = Array.from({ length: 400 }, (_, at) =>
        at % 2 === 0 ? { id: at + 2, op: "subscribe", path: "/fuzz", scope: "tree" } : { id: at + 2, op: "unsubscribe", sub: 1 },
      );
      return [connect({ readOnly: true }), JSON.stringify(asked)];
    }
  }
}
