/**
 * The Node shell of one member: opens what the core needs, wires it up, and stops it in order.
 *
 * It makes no decision of its own. Order of start: lock, recovery, listener; order of stop: connections, what is pending,
 * files, lock.
 */
import { defaultRaftSizes, deliveriesMaxDefault, type Input, Member, type PeerFacts, type PeerRefusal } from "@copse/replica";
import { type AuditLog, denialLog, openAuditLog } from "./audit-log.ts";
import { ScheduledSnapshots } from "./backup/scheduled-snapshots.ts";
import { budgetsOf, classBudgetsOf } from "./budgets.ts";
import { TrustedProxies } from "./clients/client-address.ts";
import type { ClientListener, ListenerOptions } from "./clients/client-listener.ts";
import { Doors } from "./clients/doors.ts";
import { NoListener } from "./clients/no-listener.ts";
import { OriginList } from "./clients/origin.ts";
import { UwsListener } from "./clients/uws-listener.ts";
import { WsListener } from "./clients/ws-listener.ts";
import { ClockAlarm } from "./clock-alarm.ts";
import { anonymousOf, isTrusting, isWildcard, lockedRoot, type ServerConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { CertificateEnds } from "./credentials/certificate-ends.ts";
import { IdentitySource } from "./credentials/identity-source.ts";
import { PageLogins } from "./credentials/page-login.ts";
import { CredentialProver } from "./credentials/prover.ts";
import { foundingOf, purposeOf } from "./disk/purpose.ts";
import { SpaceWatch } from "./disk/space-watch.ts";
import { noStorage, openStorage, type Storage } from "./disk/storage.ts";
import { connectionsWithin, openFilesMax } from "./file-limit.ts";
import { HeapWatch } from "./heap-watch.ts";
import { AdminListener } from "./http/admin-listener.ts";
import { createHttp } from "./http/http.ts";
import { createMetrics } from "./http/metrics.ts";
import { spanRequests } from "./http/request-spans.ts";
import { addedMetrics, type MetricList, type ServerMetrics, summedMetrics } from "./http/summed-metrics.ts";
import { EdgeChannel } from "./peers/edge-channel.ts";
import { PeerMesh } from "./peers/peer-mesh.ts";
import { ownSecret, type PeerSecrets, secretsOf } from "./peers/peer-secret.ts";
import { Reloads } from "./reloads.ts";
import { systemClock, systemHash, systemRandom } from "./system-clock.ts";
import { traceLog } from "./trace-log.ts";

export interface Server {
  /** The WebSocket URL, the path included. */
  readonly url: string;
  /** The address of the page. */
  readonly page: string;
  readonly port: number;
  /** The cluster's id, or "" where the ensemble has not agreed on one yet. */
  readonly cluster: string;
  readonly member: Member;
  /** What each line of the log says of this member. */
  readonly names: { readonly member: string; readonly cluster: string; readonly term: number };
  /** Where edges of its own follow it, HOST:PORT; null where it carries its clients itself. */
  readonly channel: string | null;
  /** The text of its metrics, and of the edges that it has started. */
  metrics(): Promise<string>;
  /** What an edge adds to the metrics of the member that has started it. */
  addedMetrics(): Promise<MetricList>;
  /** Reads again what may change while it runs: the identity file, certificates and secrets; and opens the audit log anew. */
  reload(): void;
  /** Drains and ends: connections close with 1001, what was proposed becomes durable. */
  stop(): Promise<void>;
}

const newEnsemble =
  "no cluster yet: the members that --peers names found one once all of them are linked and empty, or, with --found, once a majority is";

const noUrls: readonly string[] = [];

/** How long a stop waits for connections to close, in milliseconds. */
const drainMs = 3_000;
/** Connections that a stop closes together, at least, and how long until the next; the last slice leaves time for the rest of the stop. */
const dismissedAtOnce = 200;
const sliceMs = 100;
const slicesMax = 25;

/**
 * Starts a member and serves.
 * @throws ConfigError for a setting or a data directory that can't be used; CorruptLogError for files that can't be believed
 */
export async function startServer(config: ServerConfig): Promise<Server> {
  const { logger } = config;
  const isEdge = config.of.length > 0;
  const storage = isEdge ? noStorage() : await openStorage(config.dataDirectory, config.member, () => purposeOf(config));
  let audit: AuditLog | null = null;
  try {
    audit = config.auditFile === null ? null : openAuditLog(config.auditFile, config);
    return await serve(config, storage, audit);
  } catch (error) {
    // What is wrong with a setting the caller tells; a stack would only hide it.
    if (!(error instanceof ConfigError)) logger.error({ err: error }, "start failed");
    await audit?.close();
    await storage.release();
    throw error;
  }
}

async function serve(config: ServerConfig, storage: Storage, audit: AuditLog | null): Promise<Server> {
  const founding = foundingOf(config, storage.identity);
  const isEdge = config.of.length > 0;
  const { logger, tls, limits } = config;
  const scheme = tls === null ? "ws" : "wss";
  const host = config.host.replace(/^\[|\]$/g, "");
  let member: Member | null = null;
  let advertised = "";
  let metrics: ServerMetrics | null = null;
  let scheduled: ScheduledSnapshots | null = null;
  let space: SpaceWatch | null = null;
  const clockAlarm = new ClockAlarm(logger);
  let isReady = true;
  const submit = (input: Input): void => member?.submit(input);
  const origins = new OriginList(
    () => advertised,
    () => member?.urls ?? noUrls,
    config.origins,
  );
  const trusts = isTrusting(config);
  const isUnbounded = trusts && anonymousOf(config) === "session";
  const budgets = budgetsOf(config.budgets, isUnbounded);
  const connections = connectionsWithin(budgets.connections, openFilesMax());
  const doors = new Doors({ connections, connectionsPerAddress: budgets.connectionsPerAddress, handshakes: config.handshakes });
  const prover = new CredentialProver(config.superHash, budgets, logger);
  const identity = new IdentitySource(config.identityFile, {
    anonymous: anonymousOf(config),
    isTrusting: trusts,
    prover,
    logger,
    changed: (settings) => submit({ kind: "policy", settings }),
  });
  const heap = new HeapWatch((isPressed, { used, limit }) => {
    const said = { usedBytes: used, limitBytes: limit };
    if (isPressed) logger.error(said, "the heap is nearly full: requests that need more are refused");
    else logger.info(said, "the heap has room again");
    submit({ kind: "pressure", of: "heap", isPressed });
  });
  const hasAdminPort = config.adminListen !== null;
  const httpOptions = {
    files: config.files,
    metrics: () => metrics,
    logins: new PageLogins(() => identity.settings),
    checks: () => [
      { name: "process", why: !isReady ? "stopping" : member === null ? "starting" : null },
      ...(member === null ? [] : member.checks),
    ],
    pressures: () => [
      { name: "heap", why: heap.isPressed ? "nearly full, growing requests are refused" : null },
      { name: "space", why: space?.isPressed === true ? "the disk is nearly full, writes that grow are refused" : null },
      { name: "clock", why: clockAlarm.why },
      { name: "snapshots", why: scheduled?.hasFailed === true ? "the newest scheduled snapshot could not be saved" : null },
    ],
  };
  const listening: ListenerOptions = {
    limits,
    cluster: () => member?.cluster ?? "",
    salt: () => member?.salt ?? "",
    origins,
    submit,
    prover,
    doors,
    proxies: new TrustedProxies(config.trustProxy),
    silenceMs: config.silenceMs,
    http: createHttp(httpOptions, { hasHealth: !hasAdminPort && config.shared?.hasHealth !== false, hasPage: true }),
    sharesPort: config.shared !== null,
    tls,
  };
  const admin = new AdminListener(createHttp(httpOptions, { hasHealth: true, hasPage: false }));
  const listener = listenerOf(config, listening);
  const port = await listener.listen(host, config.port);
  const shown = config.advertise ?? `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(shown)) {
    await listener.stop(0);
    throw new ConfigError(`advertise: ${shown} is not a URL`);
  }
  // An address that means all of a machine's own leads its clients to themselves.
  advertised = config.advertise === null && isWildcard(host) ? "" : shown;
  if (advertised === "" && config.origins.length === 0) {
    logger.warn("this member advertises no address, and no page may connect: pass --advertise URL, or --origin for pages");
  }

  const secrets = (): PeerSecrets | null => {
    if (config.peerSecret !== null) return secretsOf(config.peerSecret);
    return config.peerTls === null ? ownSecret() : null;
  };
  const linking = {
    member: config.member,
    isOlder: (id: string): boolean => running.isOlder(id),
    facts: (): PeerFacts => running.facts,
    refusal: (facts: PeerFacts): PeerRefusal | null => running.refusal(facts),
    submit,
    logger,
  };
  const mesh = new PeerMesh({ ...linking, secrets, tls: config.peerTls });
  const channel = config.edges === null ? null : new EdgeChannel(linking, config.edges.secret);
  const startedAt = performance.now();
  try {
    const { timeoutMsMin, timeoutMsMax, timeoutMsDefault, reapMs, compareMs, historyBytes, snapshotLogBytes, segmentBytes } = config;
    const { directory, cluster } = storage.identity;
    member = new Member({
      member: config.member,
      isEdge,
      isLocalEdge: config.shared !== null,
      directory,
      cluster,
      limits: config.limits,
      times: config.times,
      isReadOnly: config.isReadOnly,
      founding,
      timeoutMsMin,
      timeoutMsMax,
      timeoutMsDefault,
      reapMs,
      compareMs,
      historyBytes,
      snapshotLogBytes,
      segmentBytes,
      onFatal: config.onFatal,
      budgets,
      classes: classBudgetsOf(config.classes, isUnbounded),
      policy: identity.policy,
      rootAcl: trusts ? null : lockedRoot,
      audit: audit === null ? null : (record) => audit.write(record),
      denied: denialLog(config, audit),
      trace: traceLog(logger),
      boot: systemRandom.token().slice(0, 8),
      url: advertised,
      peer: config.peerListen ?? "",
      founders: config.peers.length > 0 || isEdge ? config.peers : [{ id: config.member, address: "" }],
      chance: (below) => Math.floor(Math.random() * below),
      sizes: defaultRaftSizes,
      deliveriesMax: deliveriesMaxDefault,
      mesh: channel === null ? mesh : channel.beside(mesh),
      disk: storage.disk,
      clock: systemClock,
      random: systemRandom,
      hash: systemHash,
      gateway: listener,
      schedule: setImmediate,
    });
  } catch (error) {
    await listener.stop(0);
    throw error;
  }
  const running = member;
  try {
    if (config.peerListen !== null) await mesh.listen(config.peerListen);
    await channel?.listen();
    if (config.adminListen !== null) await admin.listen(config.adminListen.host, config.adminListen.port);
  } catch (error) {
    await mesh.stop();
    await channel?.stop();
    await listener.stop(0);
    throw error;
  }
  spanRequests(running.tally, config.member);
  running.start();
  if (isEdge) mesh.follow(config.of);
  const { waitsFor } = running;
  if (waitsFor !== null && config.peers.length > 1) logger.info({ why: waitsFor }, newEnsemble);
  const ends = new CertificateEnds({ clients: config.tls, peers: config.peerTls });
  const reloads = new Reloads(config, { identity, listener, mesh, ends, prover, audit });
  let isRootLookedAt = false;
  const timer = setInterval(() => {
    running.submit({ kind: "tick" });
    clockAlarm.look(running.time.wallOffsetMs);
    const refused = doors.report(performance.now());
    if (refused !== null) logger.warn({ refused }, "refused new connections, by reason");
    // What is in the log is known once it serves.
    if (isRootLookedAt || !running.isServing || running.tree.ensemble.version === 0) return;
    isRootLookedAt = true;
    warnOfOpenRoot(running, trusts, logger);
  }, config.times.tickMs);
  const { snapshots, dataDirectory } = config;
  scheduled = snapshots === null ? null : new ScheduledSnapshots(snapshots, running, dataDirectory, logger);
  const watched = new SpaceWatch(storage.use, config.diskReserveBytes, (isPressed, left) => {
    if (isPressed) logger.error(left, "the disk is nearly full: writes that grow are refused");
    else logger.info(left, "the disk has room again");
    submit({ kind: "pressure", of: "disk", isPressed });
  });
  space = watched;
  const transport = config.uws === null ? "ws" : "uws";
  const own = createMetrics(
    running,
    { limits: { ...limits }, budgets: { ...budgets, connections } },
    { doors, prover, heap, space: watched, audit, scheduled, disk: storage.use, certificates: () => ends.all, transport },
  );
  const scraped = config.edges === null ? own : summedMetrics(own, config.edges.metrics);
  metrics = config.shared?.metrics ?? scraped;
  const { damaged } = running.recovered;
  if (damaged.length > 0)
    logger.warn({ damaged }, "a snapshot is damaged: the one before it and the log were used instead. Look at the disk");
  logger.info(
    {
      port,
      transport,
      recoveryMs: Math.round(performance.now() - startedAt),
      ...running.recovered,
      znodes: running.figures.znodes,
    },
    "serving",
  );

  const stop = async (): Promise<void> => {
    isReady = false;
    logger.info("stopping");
    running.handOver();
    doors.shut();
    // In slices, so that those who come to the other members don't all come at once; meanwhile `/readyz` says no.
    const slice = Math.max(dismissedAtOnce, Math.ceil(running.figures.connections / slicesMax));
    while (running.dismiss(slice) > 0) await new Promise((resolve) => setTimeout(resolve, sliceMs));
    await listener.stop(drainMs);
    const until = performance.now() + drainMs;
    while (running.pending > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    clearInterval(timer);
    scheduled?.stop();
    watched.stop();
    heap.stop();
    reloads.stop();
    await admin.stop();
    await mesh.stop();
    await channel?.stop();
    await storage.close();
    await audit?.close();
    await storage.release();
    logger.info("stopped");
  };
  const page = shown.replace(/^ws/, "http");
  return {
    url: `${shown}/v1`,
    page,
    port,
    get cluster() {
      return running.cluster;
    },
    member: running,
    get names() {
      return { member: config.member, cluster: running.cluster, term: running.term };
    },
    channel: channel?.address ?? null,
    metrics: () => scraped.metrics(),
    addedMetrics: () => addedMetrics(own),
    reload: () => reloads.reload(),
    stop: once(stop),
  };
}

function listenerOf(config: ServerConfig, listening: ListenerOptions): ClientListener {
  if (config.edges !== null) return new NoListener();
  return config.uws === null ? new WsListener(listening) : new UwsListener(listening, config.uws);
}

/** A root that everyone may change, where strangers may come: from before roots were locked, or founded by a build that did not. */
function warnOfOpenRoot(member: Member, trusts: boolean, logger: ServerConfig["logger"]): void {
  if (trusts || !member.isRootOpen) return;
  logger.warn(
    { command: "COPSE_SUPER=… copse setacl / world:anyone:read" },
    "the root is open: any client may create, change and delete znodes; the command locks it",
  );
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => (running ??= run());
}
