/**
 * What a server is told at start: complete, checked, immutable.
 *
 * Defaults live here and nowhere else. A wrong setting is a ConfigError that names it, before anything is opened.
 */
import { type AclItem, defaultLimits, isMemberId, isPeerAddress, type Limits } from "@copse/protocol";
import {
  type Anonymous,
  type ClassBudget,
  defaultElectionTimes,
  type ElectionTimes,
  type IdentityClass,
  type PeerAddress,
} from "@copse/replica";
import type { Logger } from "pino";
import type { SnapshotSchedule } from "./backup/scheduled-snapshots.ts";
import { defaultBudgets, defaultClassBudgets, type ServerBudgets } from "./budgets.ts";
import { TrustedProxies } from "./clients/client-address.ts";
import type { Rate } from "./clients/token-bucket.ts";
import type { UwsModule } from "./clients/uws.ts";
import { ConfigError } from "./config-error.ts";
import { isPasswordHash } from "./credentials/passwords.ts";
import type { MetricList, ServerMetrics } from "./http/summed-metrics.ts";
import { isEdgeId } from "./peers/peer-handshake.ts";
import { secretsOf } from "./peers/peer-secret.ts";

/** A file of the page, ready to be sent. */
export interface StaticFile {
  readonly body: Buffer;
  readonly contentType: string;
}

/** Certificates for peers: each names its member as `copse-member-ID`. */
export interface PeerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

/** The certificate for clients. */
export interface ClientTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Clients whose certificate is signed by this CA prove its subject's name with it. */
  readonly clientCa?: Buffer;
}

/** What stands in files that may change, and how it is read again. */
export interface Reloaded<T> {
  readonly files: readonly string[];
  readonly read: () => T;
}

export interface ServerConfig {
  /** This member's id: a small positive integer as text. An edge's is a name, after `edge-`. */
  readonly member: string;
  /** Where those listen for peers whom this edge may follow, HOST:PORT: members, or other edges. Empty for a member. */
  readonly of: readonly string[];
  readonly host: string;
  /** 0 asks for a free port. */
  readonly port: number;
  /** The data directory; it is made where it does not exist. An edge has none. */
  readonly dataDirectory: string;
  /** The URL that clients are told, or null for one made from host and port. */
  readonly advertise: string | null;
  /** Further origins (scheme://host[:port]) whose pages may connect. */
  readonly origins: readonly string[];
  /** All members at first, this one included; nobody for a hub alone. Later, addresses at which they may be reached, too. */
  readonly peers: readonly PeerAddress[];
  /** Where this member listens for peers, HOST:PORT, or null where the ensemble's table says it. */
  readonly peerListen: string | null;
  /** Its clients are carried by edges on this machine, which prove this secret; null where it carries them itself. */
  readonly edges: { readonly secret: string; readonly metrics: () => Promise<readonly MetricList[]> } | null;
  /** An edge that shares its port with others of a member here: it shows the figures of all, and may leave health to another port. */
  readonly shared: { readonly metrics: ServerMetrics; readonly hasHealth: boolean } | null;
  /** This member waits to be taken in by an ensemble that runs. Its data directory remembers it. */
  readonly isJoining: boolean;
  /** A majority of the members may found the ensemble: those that are missing are known to be empty. */
  readonly isFounding: boolean;
  /**
   * What all members share, to prove themselves to each other: at least 16 bytes, and another in a second line during a rotation. Null for
   * certificates alone, and on loopback for a secret of the user's own.
   */
  readonly peerSecret: string | null;
  readonly peerTls: PeerTls | null;
  readonly times: ElectionTimes;
  /** What the super password hashes to (`copse hash-password`), or null where nobody is super. */
  readonly superHash: string | null;
  /** The file that says whose tokens are taken (`identity-file`), or null for none. */
  readonly identityFile: string | null;
  /** What a connection may do that nobody vouches for, where the identity file does not say it; null for what is safe. */
  readonly anonymous: Anonymous | null;
  /** File of the audit log, or null for none. */
  readonly auditFile: string | null;
  /** What is done where the audit log can't be written: the hub stops, or the lines are lost, counted and logged. */
  readonly auditOnError: "stop" | "drop";
  /** The audit log holds reads that were refused for want of a permission, too. */
  readonly auditsDenials: boolean;
  /** New connections from one address; others get HTTP 503. */
  readonly handshakes: Rate;
  /** What clients may hold and ask for; what is missing has its default, which depends on whether strangers can reach the port. */
  readonly budgets: Partial<ServerBudgets>;
  /** What one identity, or an address without one, may hold and ask for, by its class. */
  readonly classes: Partial<Record<IdentityClass, Partial<ClassBudget>>>;
  /** Networks whose word for a client's address counts (Forwarded, X-Forwarded-For). */
  readonly trustProxy: readonly string[];
  /** A port for health and metrics apart from the clients'; null leaves them there. */
  readonly adminListen: { readonly host: string; readonly port: number } | null;
  /** A connection that says nothing for so long is asked whether it is there, and closed after as long again; in milliseconds. */
  readonly silenceMs: number;
  /** Carries clients instead of `ws`, in its native form (`findUws`); null for `ws`. */
  readonly uws: UwsModule | null;
  readonly tls: ClientTls | null;
  /** Reads `tls`, and `peerTls`, again from these files, on SIGHUP and when one of them changes; null where they stay. */
  readonly tlsFiles: Reloaded<ClientTls> | null;
  readonly peerTlsFiles: Reloaded<PeerTls> | null;
  /** Reads `peerSecret` again in the same way, and `superHash`. */
  readonly peerSecretFiles: Reloaded<string> | null;
  readonly superFiles: Reloaded<string> | null;
  readonly isReadOnly: boolean;
  /** Snapshots that the hub saves by itself; null for none. */
  readonly snapshots: SnapshotSchedule | null;
  /** Every client may do anything, even if strangers can reach the port: the root of a new cluster is open to everyone. */
  readonly isInsecure: boolean;
  readonly limits: Limits;
  /** Bounds and default of a session's timeout, in milliseconds. */
  readonly timeoutMsMin: number;
  readonly timeoutMsMax: number;
  readonly timeoutMsDefault: number;
  /** How often containers and TTL znodes that are due are looked for, in milliseconds. */
  readonly reapMs: number;
  /** How often all members compare their trees, in milliseconds. */
  readonly compareMs: number;
  /** Bytes of data that the history keeps for `since`. */
  readonly historyBytes: number;
  /** Bytes of log after which a snapshot is taken. */
  readonly snapshotLogBytes: number;
  /** Bytes of one segment of the log. */
  readonly segmentBytes: number;
  /** Bytes of the disk that are left alone: below them writes that grow are refused. Null for the smaller of 256 MiB and 5 % of the disk. */
  readonly diskReserveBytes: number | null;
  /** The inspector, by URL path. Nothing else is ever served from disk. */
  readonly files: ReadonlyMap<string, StaticFile>;
  readonly logger: Logger;
  /** The disk has failed; the process has to end. */
  readonly onFatal: (error: Error) => void;
}

/** The ACL of a new cluster's root where strangers may come: all may read it, and only super may change it. */
export const lockedRoot: readonly AclItem[] = [{ perms: ["read"], scheme: "world", id: "anyone" }];

/**
 * True if only this machine's users can reach the port: then every client is trusted, as in ZooKeeper. A proxy before it, pages
 * of other origins or an address that others are told mean that it is open to strangers.
 */
export function isPrivate({ host, trustProxy, origins, advertise }: ServerConfig): boolean {
  const isHere = advertise === null || (URL.canParse(advertise) && isLoopback(new URL(advertise).hostname));
  return isLoopback(host) && trustProxy.length === 0 && origins.length === 0 && isHere;
}

/** True for a host that means all addresses of the machine. */
export function isWildcard(host: string): boolean {
  return /^(0+(\.0+)*|\[?[0:]+\]?)$/.test(host);
}

/** True if every client is trusted: strangers can't reach the port, or `isInsecure` says that they may. */
export function isTrusting(config: ServerConfig): boolean {
  return config.isInsecure || isPrivate(config);
}

/** What a connection may do that nobody vouches for, where the identity file does not say it. */
export function anonymousOf(config: ServerConfig): Anonymous {
  if (config.anonymous !== null) return config.anonymous;
  if (config.isInsecure) return "session";
  return isPrivate(config) && config.identityFile === null ? "session" : "deny";
}

/** New connections of one address. */
export const defaultHandshakes: Rate = { perSecond: 2_000, burst: 10_000 };

type Given = Partial<ServerConfig> & Pick<ServerConfig, "dataDirectory" | "logger" | "onFatal">;

/** Fills in the defaults. @throws ConfigError naming what is wrong */
export function completeConfig(given: Given): ServerConfig {
  const config: ServerConfig = {
    member: "1",
    of: [],
    host: "127.0.0.1",
    port: 7181,
    advertise: null,
    origins: [],
    peers: [],
    peerListen: null,
    edges: null,
    shared: null,
    isJoining: false,
    isFounding: false,
    peerSecret: null,
    peerTls: null,
    times: defaultElectionTimes,
    superHash: null,
    identityFile: null,
    anonymous: null,
    auditFile: null,
    auditsDenials: false,
    auditOnError: "stop",
    handshakes: defaultHandshakes,
    budgets: {},
    classes: {},
    trustProxy: [],
    adminListen: null,
    silenceMs: 30_000,
    uws: null,
    tls: null,
    tlsFiles: null,
    peerTlsFiles: null,
    peerSecretFiles: null,
    superFiles: null,
    isReadOnly: false,
    snapshots: null,
    isInsecure: false,
    limits: defaultLimits,
    timeoutMsMin: 4_000,
    timeoutMsMax: 120_000,
    timeoutMsDefault: 30_000,
    reapMs: 60_000,
    compareMs: 3_600_000,
    historyBytes: 67_108_864,
    snapshotLogBytes: 67_108_864,
    segmentBytes: 67_108_864,
    diskReserveBytes: null,
    files: new Map(),
    ...given,
  };
  if (config.of.length > 0) checkEdge(config);
  else if (!isMemberId(config.member)) throw new ConfigError("id: a member's id is a positive integer");
  if (!Number.isInteger(config.port) || config.port < 0 || config.port > 65_535) throw new ConfigError("listen: not a valid port");
  if (config.timeoutMsMin > config.timeoutMsMax) throw new ConfigError("timeouts: the minimum exceeds the maximum");
  const isShielded = config.tls !== null || config.trustProxy.length > 0;
  if (!isLoopback(config.host) && !config.isInsecure && !isShielded) {
    throw new ConfigError(
      `listen: ${config.host} is not a loopback address, and credentials would travel in the clear. It needs TLS (--tls-cert, --tls-key), or a proxy ` +
        "that has it (--trust-proxy); say --insecure if anyone who reaches it may do anything.",
    );
  }
  checkDoors(config);
  if (config.superHash !== null) checkSuperHash(config.superHash);
  if (config.uws !== null && config.tls !== null) throw new ConfigError("transport: uWebSockets.js does not support TLS here; use ws");
  checkPeers(config);
  for (const [name, limit] of Object.entries(config.limits)) {
    if (!Object.hasOwn(defaultLimits, name)) throw new ConfigError(`limits.${name}: there is no such limit`);
    if (!Number.isSafeInteger(limit) || limit < 1) throw new ConfigError(`limits.${name}: must be a positive integer`);
  }
  return config;
}

function checkEdge({ member, of }: ServerConfig): void {
  if (!isEdgeId(member)) throw new ConfigError("id: an edge's id is up to 32 of a-z, 0-9 and -");
  for (const address of of) if (!isPeerAddress(address)) throw new ConfigError(`of: ${address} is not HOST:PORT`);
}

/** @throws ConfigError where it is none */
export function checkSuperHash(hash: string): string {
  if (!isPasswordHash(hash)) throw new ConfigError("super: must be a hash printed by copse hash-password");
  return hash;
}

function checkDoors({ handshakes, budgets, classes, trustProxy, silenceMs, peerSecret, limits }: ServerConfig): void {
  const { perSecond, burst } = handshakes;
  if (!(perSecond > 0) || !(burst >= 1)) throw new ConfigError("handshakes: perSecond and burst must be positive");
  for (const [name, value] of Object.entries(budgets)) {
    if (!Object.hasOwn(defaultBudgets, name)) throw new ConfigError(`budgets.${name}: there is no such budget`);
    if (!(typeof value === "number" && value >= 1)) throw new ConfigError(`budgets.${name}: must be a positive number`);
  }
  for (const [kind, bounds] of Object.entries(classes)) {
    if (!Object.hasOwn(defaultClassBudgets, kind)) throw new ConfigError(`classes.${kind}: must be anonymous, authenticated or admin`);
    for (const [name, value] of Object.entries(bounds)) {
      if (!Object.hasOwn(defaultClassBudgets.admin, name)) throw new ConfigError(`classes.${kind}.${name}: there is no such budget`);
      if (!(typeof value === "number" && value >= 1)) throw new ConfigError(`classes.${kind}.${name}: must be a positive number`);
    }
  }
  if (!(silenceMs >= 100)) throw new ConfigError("silenceMs: must be 100 or more");
  try {
    new TrustedProxies(trustProxy);
  } catch (error) {
    throw new ConfigError(`trust-proxy: ${(error as Error).message} is not an address or network`);
  }
  if (peerSecret !== null) secretsOf(peerSecret);
  if (limits.receivedBytes < limits.frameBytes) throw new ConfigError("limits.receivedBytes: must be at least limits.frameBytes");
}

function checkPeers({ member, peers, peerListen, isJoining, isFounding }: ServerConfig): void {
  for (const { id, address } of peers) {
    if (!isMemberId(id) || !isPeerAddress(address)) throw new ConfigError(`peers: ${id}=${address} is not ID=HOST:PORT`);
  }
  if (new Set(peers.map(({ id }) => id)).size < peers.length) throw new ConfigError("peers: an id is listed twice");
  if (isJoining && isFounding) throw new ConfigError("found: a member that joins an ensemble does not found it");
  if (isJoining && peers.every(({ id }) => id === member)) throw new ConfigError("join: --peers must name a running member");
  if (peerListen !== null && !isPeerAddress(peerListen)) throw new ConfigError(`peer-listen: ${peerListen} is not HOST:PORT`);
}

/** True for a host that is this machine, whatever network it has. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127\./.test(host);
}
