/**
 * What carries clients: one port that speaks WebSocket and HTTP. `ws` and uWebSockets.js are two ways to do it, under one
 * contract (test/contracts/listener).
 *
 * Contract: a connection is `opened` before its first frame and `closed` once, as its last input; frames come in order; what
 * is delivered leaves in order, and before a close that is asked for after it. Whom it refuses, and with which status, is
 * decided here, the same for all.
 */
import type { Limits } from "@copse/protocol";
import { subprotocol } from "@copse/protocol";
import type { Gateway, Input } from "@copse/replica";
import type { ClientTls } from "../config.ts";
import type { CredentialProver } from "../credentials/prover.ts";
import { endpoint, type Http } from "../http/http.ts";
import type { TrustedProxies } from "./client-address.ts";
import type { Doors, UpgradeReason } from "./doors.ts";
import type { OriginList } from "./origin.ts";

export interface ListenerOptions {
  readonly limits: Limits;
  readonly cluster: () => string;
  /** What passwords are salted with. */
  readonly salt: () => string;
  readonly origins: OriginList;
  readonly submit: (input: Input) => void;
  readonly prover: CredentialProver;
  readonly doors: Doors;
  readonly proxies: TrustedProxies;
  /** A connection that says nothing for so long is asked whether it is there, and closed after as long again; in milliseconds. */
  readonly silenceMs: number;
  readonly http: Http;
  /** Other processes of this hub listen on the same port. */
  readonly sharesPort?: boolean;
  readonly tls: ClientTls | null;
}

export interface ClientListener extends Gateway {
  /** Begins to accept, on a free port for 0; resolves to the port. @throws ConfigError where the address can't be used */
  listen(host: string, port: number): Promise<number>;
  /** New connections get this certificate. */
  renew(tls: ClientTls): void;
  /** Accepts no more connections, and resolves once those there are have closed, or after `waitMs`. */
  stop(waitMs: number): Promise<void>;
}

/** The parts of an upgrade that decide about it. */
export interface Upgrade {
  readonly path: string;
  /** The query after the path, without its question mark. */
  readonly query: string;
  /** Of the client, as far as it is known. */
  readonly address: string;
  readonly origin: string | undefined;
  /** The header's list of subprotocols, as it came. */
  readonly offered: string | undefined;
}

/** Pages at once that are let in to be told when to come back; the others get the status. */
export const leavingMax = 256;

/** How an upgrade is refused. */
export interface UpgradeRefusal {
  /** Of HTTP. */
  readonly status: number;
  /**
   * The reason of a close with 4429, for a page: a browser tells it neither a status nor a header, so it is let in and closed at once. Null
   * where it has nothing to wait for.
   */
  readonly retry: string | null;
}

/** Null where an upgrade is welcome. What is not meant for us costs its address nothing. */
export function refusalOf(upgrade: Upgrade, { doors, origins, cluster }: ListenerOptions): UpgradeRefusal | null {
  const { path, query, origin, offered, address } = upgrade;
  const refused = (reason: UpgradeReason, status: number): UpgradeRefusal => ({ status: doors.refused(reason, status), retry: null });
  if (path !== endpoint) return refused("path", 404);
  if (!origins.allows(origin)) return refused("origin", 403);
  if (offered !== undefined && !offered.split(",").some((name) => name.trim() === subprotocol)) return refused("subprotocol", 400);
  const wanted = query === "" ? null : new URLSearchParams(query).get("cluster");
  if (wanted !== null && cluster() !== "" && wanted !== cluster()) return refused("cluster", 421);
  const refusal = doors.refusal(address);
  if (refusal === null) return null;
  const { status, retryMs } = refusal;
  return { status, retry: origin === undefined || retryMs === null ? null : `retry-after=${retryMs}` };
}

/** Waits until nothing is left, looking again and again. */
export async function drained(left: () => number, waitMs: number): Promise<void> {
  const until = performance.now() + waitMs;
  while (left() > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
}
