/**
 * Tokens that end every few seconds and are renewed in place, on an ensemble without faults: a renewal is not noticed. No connection is
 * made anew, no subscription gives its state again, and every value arrives.
 */
import { Copse, type Credential } from "@copse/client";
import { type ClientConnection, noFaults, SimulatedEnsemble, World } from "@copse/testing/simulation";
import { Violation, violate } from "./checkers/invariants.ts";
import { insisting } from "./insisting.ts";

interface Follower {
  connects: number;
  renewals: number;
  /** The newest value that it has seen. */
  newest: string;
}

const path = "/kept";
const runMs = 20_000;
const faults = { ...noFaults, delayMs: [0.1, 5], diskLatencyMsMax: 1 } as const;

export async function runRenewals(seed: number): Promise<{ readonly failure: string | null; readonly renewals: number }> {
  const world = new World(seed);
  const followers = new Map<ClientConnection["client"], Follower>();
  const ensemble = new SimulatedEnsemble(world, 3, faults, {
    turned: () => {},
    sent: () => {},
    toServer: ({ client }, text) => {
      const follower = followers.get(client);
      if (follower === undefined) return;
      if (text.includes('"op":"connect"') && ++follower.connects > 1) violate("renewal", "a client connected again");
      if (text.includes('"op":"auth"')) follower.renewals++;
    },
    toClient: ({ client }, text) => {
      if (followers.has(client) && text.includes('"reset":true')) violate("renewal", `a subscription began anew: ${text.slice(0, 200)}`);
    },
  });
  const pause = (): Promise<void> => new Promise((resolve) => world.after(world.random.between(5, 250), resolve));
  const until = insisting(pause);
  const urls = ensemble.nodes.map(({ id }) => `ws://member-${id}`);
  let last = "";
  let isWritten = false;
  const write = async (): Promise<void> => {
    const client = new Copse(urls, { ports: ensemble.clientPorts(1) });
    const acl = [
      { scheme: "token", id: "sim:ada", perms: ["read"] },
      { scheme: "world", id: "anyone", perms: ["write"] },
    ] as const;
    await until(() => client.create(path, "", { acl }), "NODE_EXISTS");
    for (const readOnly of [false, true]) follow(readOnly);
    for (let count = 1; world.now < runMs; count++) {
      await pause();
      last = `${count}`;
      await until(() => client.set(path, last));
    }
    isWritten = true;
  };
  const follow = (readOnly: boolean): void => {
    const ports = ensemble.clientPorts(1);
    const auth = (): Credential[] => {
      const iat = 1e12 + world.now;
      return [{ scheme: "token", credential: JSON.stringify({ sub: "ada", iat, exp: iat + world.random.between(2_000, 6_000) }) }];
    };
    const follower: Follower = { connects: 0, renewals: 0, newest: "" };
    followers.set(ports, follower);
    const client = new Copse(urls, { readOnly, auth, ports });
    const take = ({ data }: { readonly data?: unknown }): void => {
      if (typeof data === "string") follower.newest = data;
    };
    client.observe(
      path,
      { scope: "node" },
      { state: (znodes) => [...znodes.values()].forEach(take), changes: (changes) => changes.forEach(take), failed: () => {} },
    );
  };
  try {
    for (const node of ensemble.nodes) ensemble.start(node);
    const look = (): void => {
      ensemble.lookAtLinks();
      world.after(500, look);
    };
    look();
    void write();
    const isOver = (): boolean => isWritten && [...followers.values()].every(({ newest }) => newest === last);
    await world.run(2 * runMs, isOver);
    if (!isOver())
      violate("renewal", `the newest value is ${last}; seen: ${[...followers.values()].map(({ newest }) => newest).join(", ")}`);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { failure: error.message, renewals: 0 };
  }
  return { failure: null, renewals: Math.min(...[...followers.values()].map(({ renewals }) => renewals)) };
}
