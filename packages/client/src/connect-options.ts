/** What a client is told when it connects. Times are milliseconds. */
import type { Credential } from "@copse/protocol";
import type { AclItem } from "./calls/acl.ts";
import type { AuthReason } from "./session/renewal.ts";
import type { ClientPorts } from "./transport.ts";

export interface ConnectOptions {
  /** The server gives the session up after so many milliseconds without a sign of life; it may clamp this. Default 30 000. */
  readonly sessionTimeoutMs?: number;
  /** @deprecated `sessionTimeoutMs` says which timeout it is: a call's is `timeoutMs`. */
  readonly timeoutMs?: number;
  /** What operators see of this client beside its session, such as "billing worker 1.4": at most 128 characters. Default: the title of the page, or the name of the machine; "" for none. */
  readonly name?: string;
  /** Only follow: no session, no writes, no load on the quorum. */
  readonly readOnly?: boolean;
  /**
   * What the client proves. It is asked for at each connect, when a token is about to end ("expiring"), and after the server has refused what it
   * gave ("refused").
   * @example
   * const auth = async () => [{ scheme: "token", credential: await (await fetch("/token")).text() }];
   */
  readonly auth?: (ask: { readonly reason: AuthReason }) => Promise<readonly Credential[]> | readonly Credential[];
  /** What znodes that this client and its recipes create get as their ACL, where a call says nothing else. */
  readonly acl?: readonly AclItem[];
  /** Gives up the first connect. */
  readonly signal?: AbortSignal;
  /** The first connect gives up after so many milliseconds, and says why; Infinity waits for as long as it takes. Default 15 000. */
  readonly connectTimeoutMs?: number;
  /**
   * Another cluster at a URL that was given is a new beginning: the session is over, what is followed begins anew. Unless this is true the
   * client ends with CLUSTER_CHANGED, because what it knows, and what it is about to write, is of another tree.
   */
  readonly allowClusterChange?: boolean;
  /** For tests and unusual hosts. */
  readonly ports?: ClientPorts;
}
