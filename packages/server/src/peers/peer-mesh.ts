/**
 * The links to the other members: one connection for each pair, dialled by the one with the higher id; by the other too while it has no
 * link at all, so that a member that was taken out, whom nobody dials any more, is told of it. An edge dials one that feeds it, whoever
 * that is.
 *
 * Invariants: at most one link to a member stands, the newest; the core hears of a link's end before it hears of the
 * next one's beginning; a member that is not wanted any more is cut off. It decides nothing about who is welcome: the core
 * does.
 */
import * as net from "node:net";
import * as tls from "node:tls";
import type { Input, Mesh, PeerFacts, PeerMessage, PeerPlace, PeerRefusal } from "@copse/replica";
import type { Logger } from "pino";
import { isLoopback, type PeerTls } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { isEdgeId } from "./peer-handshake.ts";
import { PeerLink } from "./peer-link.ts";
import type { PeerSecrets } from "./peer-secret.ts";
import { refusalText } from "./refusal-text.ts";

export interface PeerMeshOptions {
  readonly member: string;
  /** What members prove; null where certificates alone do. @throws ConfigError where there is none */
  readonly secrets: () => PeerSecrets | null;
  /** True for a member that is known to be of a build which meets in format 1. */
  readonly isOlder: (member: string) => boolean;
  readonly tls: PeerTls | null;
  readonly facts: () => PeerFacts;
  readonly refusal: (facts: PeerFacts) => PeerRefusal | null;
  readonly submit: (input: Input) => void;
  readonly logger: Logger;
}

const retryMsMin = 50;
const retryMsMax = 1_000;
/** How long a member without links waits until it dials those with a higher id, in milliseconds. */
const aloneMs = 3_000;
/** Connections in their handshake at once, in all and from one address. */
const strangersMax = 256;
const strangersPerAddressMax = 8;
/** Reasons that are told of at once. */
const refusedReasonsMax = 16;
/** How often those that were refused are told of, in milliseconds. */
const refusedLogMs = 60_000;

/** Under which an edge dials whoever feeds it: nobody's id. */
const feeder = "";

interface Dialling {
  /** They are tried in turn: where one is out of date, another may be right. */
  addresses: readonly string[];
  /** The one that is tried, or at which the link stands. */
  at: string;
  attempts: number;
  timer: NodeJS.Timeout | null;
  retryMs: number;
  link: PeerLink | null;
  /** What went wrong last: said once, not at each attempt. */
  said: string;
}

export class PeerMesh implements Mesh {
  readonly #options: PeerMeshOptions;
  /** The links that stand, with what the members said of themselves. */
  readonly #up: Map<string, { readonly link: PeerLink; readonly facts: PeerFacts }> = new Map();
  readonly #dialling: Map<string, Dialling> = new Map();
  readonly #strangers: Map<PeerLink, string> = new Map();
  /** Those refused since it was last told, by reason. */
  readonly #refused: Map<string, number> = new Map();
  #refusedTimer: NodeJS.Timeout | null = null;
  /** What is proved, once it was asked for. */
  #proved: { readonly secrets: PeerSecrets | null } | null = null;
  #server: net.Server | null = null;
  #isStopping = false;
  /** The newest table of which it was said that it lacks this member. */
  #removedIn = 0;
  #tls: PeerTls | null;

  constructor(options: PeerMeshOptions) {
    this.#options = options;
    this.#tls = options.tls;
  }

  /** New links are proved with these secrets; those that stand go on. */
  rotate(secrets: PeerSecrets): void {
    this.#proved = { secrets };
  }

  /** New links go by these certificates; those that stand go on. */
  renew(pair: PeerTls): void {
    if (this.#server instanceof tls.Server) this.#server.setSecureContext({ ...pair });
    this.#tls = pair;
  }

  /** Listens for peers; port 0 asks for a free one. @returns the port. @throws ConfigError where the address can't be used */
  listen(address: string): Promise<number> {
    const { host, port } = splitAddress(address);
    const pair = this.#tls;
    if (this.#secretsFor(host) === "missing") return Promise.reject(new ConfigError(needsSecret(`peer-listen: ${address}`)));
    const accept = (socket: net.Socket): void => this.#accept(socket);
    const server =
      pair === null ? net.createServer(accept) : tls.createServer({ ...pair, requestCert: true, rejectUnauthorized: true }, accept);
    this.#server = server;
    server.on("tlsClientError", (error) => this.#refuse(`its certificate: ${error.message}`));
    return new Promise((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        this.#server = null;
        reject(new ConfigError(`peer-listen: ${address} can't be used (${error.code})`));
      });
      // Of its own, also where this process shares ports with others.
      server.listen({ host, port, exclusive: true }, () => resolve((server.address() as net.AddressInfo).port));
    });
  }

  isUp(peer: string): boolean {
    return this.#up.has(peer);
  }

  send(member: string, messages: readonly PeerMessage[]): void {
    this.#up.get(member)?.link.send(messages);
  }

  connect(peers: readonly PeerPlace[], own: string): void {
    if (own !== "" && peers.length > 0 && this.#server === null && !this.#isStopping) {
      this.listen(own).catch((error: Error) => this.#options.logger.error(error.message));
    }
    const wanted = new Map(peers.map(({ id, addresses }) => [id, addresses]));
    for (const [id, dialling] of this.#dialling) {
      if (id === feeder) continue;
      const addresses = wanted.get(id) ?? [];
      if (addresses.includes(dialling.at)) dialling.addresses = addresses;
      else this.#stopDialling(id, dialling);
    }
    for (const { link, facts } of this.#up.values()) {
      const why = wanted.has(link.member) ? null : this.#options.refusal(facts);
      if (why !== null) link.cut(refusalText(why));
    }
    for (const [id, addresses] of wanted) {
      if (this.#dialling.has(id)) continue;
      const dialling = this.#begin(id, addresses);
      if (this.#isDialledBy(id)) this.#dialOnceAlone(id, dialling);
      else this.#dial(id, dialling);
    }
  }

  /** As an edge: keeps a link with one of those at these addresses. */
  follow(addresses: readonly string[]): void {
    this.#dial(feeder, this.#begin(feeder, addresses));
  }

  #begin(id: string, addresses: readonly string[]): Dialling {
    const dialling: Dialling = { addresses, at: addresses[0]!, attempts: 0, timer: null, retryMs: retryMsMin, link: null, said: "" };
    this.#dialling.set(id, dialling);
    return dialling;
  }

  /** True for a member that dials this one. */
  #isDialledBy(id: string): boolean {
    return Number(id) > Number(this.#options.member);
  }

  /** Dials one that dials this member, unless a link stands by then. */
  #dialOnceAlone(id: string, dialling: Dialling): void {
    if (dialling.timer !== null) clearTimeout(dialling.timer);
    const dial = (): void => {
      dialling.timer = null;
      if (this.#up.size === 0) this.#dial(id, dialling);
    };
    // Two that dial each other at once cut each other's link: chance parts them.
    dialling.timer = setTimeout(dial, aloneMs * (0.5 + Math.random() / 2));
  }

  /** The last link is gone. */
  #alone(): void {
    if (this.#isStopping) return;
    for (const [id, dialling] of this.#dialling) if (this.#isDialledBy(id) && dialling.link === null) this.#dialOnceAlone(id, dialling);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#refusedTimer !== null) clearTimeout(this.#refusedTimer);
    for (const [id, dialling] of this.#dialling) this.#stopDialling(id, dialling);
    for (const link of [...[...this.#up.values()].map((held) => held.link), ...this.#strangers.keys()]) link.cut("this member stops");
    const server = this.#server;
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  #dial(id: string, dialling: Dialling): void {
    dialling.timer = null;
    const pair = this.#tls;
    const { member } = this.#options;
    dialling.at = dialling.addresses[dialling.attempts++ % dialling.addresses.length]!;
    const { host, port } = splitAddress(dialling.at);
    if (this.#secretsFor(host) === "missing") {
      this.#options.logger.error(needsSecret(id === feeder ? `of: ${dialling.at}` : `member ${id} is at ${dialling.at}`));
      return;
    }
    const socket = pair === null ? net.connect({ host, port }) : tls.connect({ ...pair, host, port, checkServerIdentity: () => undefined });
    const begin = (): void => {
      const certified = pair === null ? null : certifiedId(socket as tls.TLSSocket);
      dialling.link = this.#link(socket, { role: "dialer", member, to: id === feeder ? null : id, certified }, (why) =>
        this.#broken(id, dialling, why),
      );
    };
    const failed = (error: Error): void => this.#broken(id, dialling, error.message);
    socket.once("error", failed);
    socket.once(pair === null ? "connect" : "secureConnect", () => {
      socket.off("error", failed);
      if (this.#dialling.get(id) === dialling) begin();
      else socket.destroy();
    });
  }

  #broken(id: string, dialling: Dialling, why: string): void {
    dialling.link = null;
    if (this.#dialling.get(id) !== dialling || this.#isStopping) return;
    if (dialling.said !== why) this.#options.logger.warn({ peer: id === feeder ? dialling.at : id, why }, "no link");
    dialling.said = why;
    if (this.#isDialledBy(id)) return this.#dialOnceAlone(id, dialling);
    dialling.timer = setTimeout(() => this.#dial(id, dialling), dialling.retryMs * (0.5 + Math.random() / 2));
    dialling.retryMs = Math.min(retryMsMax, dialling.retryMs * 2);
  }

  #accept(socket: net.Socket): void {
    socket.on("error", () => {}); // The link says why it ended; before there is one, there is nothing to say.
    const from = socket.remoteAddress ?? "";
    const fromThere = [...this.#strangers.values()].filter((address) => address === from).length;
    if (this.#isStopping || this.#strangers.size >= strangersMax || fromThere >= strangersPerAddressMax) {
      this.#refuse("too many handshakes in progress");
      return void socket.destroy();
    }
    const pair = this.#tls;
    const { member } = this.#options;
    const certified = pair === null ? null : certifiedId(socket as tls.TLSSocket);
    const link = this.#link(socket, { role: "acceptor", member, to: null, certified }, () => this.#strangers.delete(link));
    this.#strangers.set(link, from);
  }

  #link(
    socket: net.Socket,
    meeting: { role: "dialer" | "acceptor"; member: string; to: string | null; certified: string | null },
    onEnd: (why: string) => void,
  ): PeerLink {
    const { facts, refusal, submit, logger, isOlder } = this.#options;
    const secrets = this.#secrets() ?? { secret: null };
    return new PeerLink(
      socket,
      { ...meeting, ...secrets, isOlder, facts, refusal },
      {
        onUp: (link, met) => {
          const older = this.#up.get(met.member)?.link;
          this.#up.set(met.member, { link, facts: met });
          this.#strangers.delete(link);
          const dialling = this.#dialling.get(meeting.to === null && meeting.role === "dialer" ? feeder : met.member);
          if (dialling !== undefined) Object.assign(dialling, { retryMs: retryMsMin, said: "" });
          if (older !== undefined) {
            older.cut("a newer link stands");
            submit({ kind: "peer-down", member: met.member });
          }
          logger.info({ peer: met.member }, "linked");
          submit({ kind: meeting.role === "acceptor" && met.isEdge === true ? "edge-up" : "peer-up", facts: met });
        },
        onRemoved: (version) => this.#removed(version),
        onMessages: (link, messages) => submit({ kind: "peer", member: link.member, messages }),
        onDown: (link, why) => {
          if (this.#up.get(link.member)?.link === link) {
            this.#up.delete(link.member);
            logger.info({ peer: link.member, why }, "link lost");
            submit({ kind: "peer-down", member: link.member });
            if (this.#up.size === 0) this.#alone();
          } else if (meeting.role === "acceptor" && link.member === "") this.#refuse(why);
          onEnd(why);
        },
      },
    );
  }

  #removed(version: number): void {
    const { facts, submit, logger } = this.#options;
    submit({ kind: "removed", version });
    if (facts().version === 0 || version <= this.#removedIn) return;
    this.#removedIn = version;
    logger.error(
      "this member was removed from the ensemble, and serves nobody: stop it, or take it back with copse member add ID --peer HOST:PORT",
    );
  }

  /** What is proved on links to and from this host: certificates may do alone, elsewhere than on loopback somebody has to choose a secret. */
  #secretsFor(host: string): PeerSecrets | null | "missing" {
    const secrets = this.#secrets();
    return secrets?.isImplicit === true && this.#tls === null && !isLoopback(host) ? "missing" : secrets;
  }

  #secrets(): PeerSecrets | null {
    this.#proved ??= { secrets: this.#options.secrets() };
    return this.#proved.secrets;
  }

  /** A stranger was refused: said at once, then once a minute by count. */
  #refuse(why: string): void {
    const reason = this.#refused.size < refusedReasonsMax || this.#refused.has(why) ? why : "other reasons";
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
    if (this.#refusedTimer !== null) return;
    this.#sayRefused();
  }

  #sayRefused(): void {
    this.#refusedTimer = null;
    if (this.#refused.size === 0) return;
    for (const [why, count] of this.#refused) this.#options.logger.warn({ why, count }, "refused a peer");
    this.#refused.clear();
    this.#refusedTimer = setTimeout(() => this.#sayRefused(), refusedLogMs);
    this.#refusedTimer.unref();
  }

  #stopDialling(id: string, dialling: Dialling): void {
    this.#dialling.delete(id);
    if (dialling.timer !== null) clearTimeout(dialling.timer);
    dialling.link?.cut("it is not dialled any more");
  }
}

/** The id in a certificate: its common name is `copse-member-ID`, or that of an edge after `copse-`. */
function certifiedId(socket: tls.TLSSocket): string {
  const name = String(socket.getPeerCertificate().subject?.CN ?? "");
  const [, member, edge = ""] = /^copse-(?:member-(\d+)|(edge-.+))$/.exec(name) ?? [];
  return member ?? (isEdgeId(edge) ? edge : "of nobody");
}

function needsSecret(what: string): string {
  return `${what} is not a loopback address: peers need --peer-secret-file, or certificates (--peer-tls-cert, --peer-tls-key, --peer-tls-ca)`;
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
