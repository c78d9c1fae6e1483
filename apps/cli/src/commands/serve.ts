/**
 * serve, edge: one member, or one edge, in this process, until SIGTERM or Ctrl-C.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import {
  ConfigError,
  CorruptLogError,
  completeConfig,
  findUws,
  isTrusting,
  type Server,
  type ServerConfig,
  startServer,
} from "@copse/server";
import { type Logger, pino } from "pino";
import { readConfigFile } from "../config-file.ts";
import { exitCode, UsageError } from "../exit-code.ts";
import { inspectorFiles } from "../inspector-files.ts";
import { edgeCount, givenUp, LocalEdges, localEdge, tellServing } from "../local-edges.ts";
import { LogStream } from "../log-stream.ts";
import { ServiceManager } from "../service-manager.ts";
import { note, print } from "../terminal.ts";

export interface ServeFlags {
  readonly id?: string;
  readonly listen?: string;
  readonly data?: string;
  readonly advertise?: string;
  readonly origin?: readonly string[];
  readonly of?: string;
  readonly edges?: string;
  readonly peers?: string;
  readonly peerListen?: string;
  readonly join?: boolean;
  readonly found?: boolean;
  readonly peerSecretFile?: string;
  readonly peerTlsCert?: string;
  readonly peerTlsKey?: string;
  readonly peerTlsCa?: string;
  readonly transport?: string;
  readonly superFile?: string;
  readonly identity?: string;
  readonly auditFile?: string;
  readonly auditDenials?: boolean;
  readonly auditOnError?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly readOnly?: boolean;
  readonly snapshotEvery?: string;
  readonly snapshotKeep?: number;
  readonly snapshotTo?: string;
  readonly insecure?: boolean;
  readonly trustProxy?: readonly string[];
  readonly adminListen?: string;
  readonly logLevel?: string;
  readonly config?: string;
  /** Greets a newcomer instead of logging. */
  readonly welcome?: boolean;
}

/** Numbers that only a file has, under the names that the server has for them. */
const numberNames = [
  "timeoutMsMin",
  "timeoutMsMax",
  "timeoutMsDefault",
  "reapMs",
  "compareMs",
  "historyBytes",
  "snapshotLogBytes",
  "segmentBytes",
  "diskReserveBytes",
] as const;

/** The members of a --config file: the flags' names, and what has no flag. */
type ConfigFile = Omit<ServeFlags, "config" | "welcome"> &
  Partial<Pick<ServerConfig, (typeof numberNames)[number]>> & {
    readonly limits?: Partial<ServerConfig["limits"]>;
    readonly handshakes?: ServerConfig["handshakes"];
    readonly budgets?: ServerConfig["budgets"];
    readonly classes?: ServerConfig["classes"];
    readonly silenceMs?: number;
  };

/** As an edge: of a member here that has started it, or of those whom --of names. */
export async function serveEdge(given: ServeFlags): Promise<void> {
  const local = localEdge();
  if (local !== null) return serve(local.flags, local.config);
  if ((given.of ?? "") === "" && given.config === undefined) throw new UsageError("edge: --of HOST:PORT says whom it follows");
  return serve(given);
}

export async function serve(given: ServeFlags, rest: Partial<ServerConfig> = {}): Promise<void> {
  const flags: ConfigFile & ServeFlags = { ...(given.config === undefined ? {} : (readConfigFile(given.config) as ConfigFile)), ...given };
  let server: Server | null = null;
  let edges: LocalEdges | null = null;
  let member = flags.id ?? "1";
  const who = (): object => (server === null ? { member } : server.names);
  const lines = new LogStream(2);
  process.on("exit", () => lines.end());
  const logger = pino({ level: flags.logLevel ?? (given.welcome === true ? "error" : "info"), base: null, mixin: who }, lines);
  // A signal that comes while it starts is not lost, and none that has another use elsewhere ends it or opens a debugger.
  let isEnding = false;
  let ending = (): void => {};
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      isEnding = true;
      ending();
    });
  }
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => logger.debug({ signal }, "a signal"));
  try {
    const count = edgeCount(flags.edges);
    if (count > 0) edges = new LocalEdges(logger, (error) => fatal(logger, error));
    const onFatal = (error: Error): void => fatal(logger, error, rest.shared == null ? exitCode.failed : givenUp);
    const config = { ...toConfig(flags, logger), ...rest, onFatal, ...(edges === null ? {} : { edges: settingsOf(edges) }) };
    member = config.member;
    process.on("uncaughtException", (error) => fatal(logger, error));
    process.on("unhandledRejection", (error) => fatal(logger, error));
    server = await startServer(completeConfig({ ...config, uws: await transportOf(flags, logger, isTrusting(config)) }));
    await edges?.start(count, server, { ...flags }, config.host);
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof CorruptLogError)) throw error;
    note(`copse: ${error.message}`);
    process.exit(error instanceof ConfigError ? exitCode.usage : exitCode.failed);
  }
  const serving = server;
  process.on("SIGHUP", () => {
    serving.reload();
    relevel(logger, given);
    edges?.reload(logger.level);
  });
  // The service is the member, whatever becomes of one of its edges.
  const manager = new ServiceManager(rest.shared == null ? process.env : {});
  manager.ready();
  ending = () => {
    manager.stopping();
    setTimeout(() => fatal(logger, new Error(`the hub did not stop in ${stopMsMax} ms`)), stopMsMax).unref();
    const stopped = edges === null ? serving.stop() : edges.stop().then(() => serving.stop());
    stopped.then(
      () => process.exit(exitCode.done),
      (error: unknown) => fatal(logger, error),
    );
  };
  if (isEnding) ending();
  if (rest.shared != null) tellServing(serving, logger);
  else if (given.welcome === true) welcome(serving, flags);
  else print(`copse serves ${serving.url}, the page is at ${serving.page}/`);
}

function settingsOf(edges: LocalEdges): ServerConfig["edges"] {
  return { secret: edges.secret, metrics: () => edges.metrics() };
}

/** The level of the log as the file of --config says it now, where no flag says it. */
function relevel(logger: Logger, { config, logLevel }: ServeFlags): void {
  if (config === undefined || logLevel !== undefined) return;
  try {
    const level = (readConfigFile(config) as ConfigFile).logLevel ?? "info";
    if (level === logger.level) return;
    logger.level = level;
    logger.info({ level }, "the log has another level");
  } catch (error) {
    logger.error({ why: (error as Error).message }, "the file of --config can't be read again: the level of the log stays");
  }
}

/** Reads a file for --config, and the files that it names, as `serve` would. Nothing is opened or made. */
export function checkConfig(file: string): void {
  const flags = readConfigFile(file) as ConfigFile;
  try {
    toConfig(flags, pino({ level: "silent" }));
  } catch (error) {
    throw error instanceof ConfigError ? new UsageError(`${file}: ${error.message}`) : error;
  }
  print(`${file}: ok`);
}

/** How long a stop may take, in milliseconds. */
const stopMsMax = 10_000;

/** After an unexpected error nothing can be trusted: a member that pings but does not work is worse than none. */
function fatal(logger: Logger, error: unknown, code: number = exitCode.failed): never {
  try {
    logger.fatal({ err: error }, "fatal error, exiting");
  } finally {
    process.exit(code);
  }
}

function toConfig(flags: ConfigFile, logger: Logger): ServerConfig {
  const { host, port } = parseAddress(flags.listen ?? "127.0.0.1:7181");
  if ((flags.tlsCert === undefined) !== (flags.tlsKey === undefined))
    throw new ConfigError("tls: --tls-cert and --tls-key must be given together");
  const numbers = Object.fromEntries(numberNames.map((name) => [name, flags[name]]).filter(([, value]) => value !== undefined));
  const { peerSecretFile, superFile } = flags;
  const of = (flags.of ?? "").split(",").filter((address) => address !== "");
  const peerSecretFiles = filesOf([peerSecretFile], () => readFile("peer-secret-file", peerSecretFile!).toString("utf8"));
  const superFiles = filesOf([superFile], () => readFile("super-file", superFile!).toString("utf8").trim());
  edgeCount(flags.edges);
  const config = completeConfig({
    of,
    member: of.length > 0 ? `edge-${flags.id ?? randomBytes(4).toString("hex")}` : memberOf(flags.id ?? "1"),
    host,
    port,
    dataDirectory: resolve(flags.data ?? ".copse"),
    advertise: flags.advertise ?? null,
    origins: flags.origin ?? [],
    peers: parsePeers(flags.peers ?? ""),
    peerListen: flags.peerListen ?? null,
    isJoining: flags.join ?? false,
    isFounding: flags.found ?? false,
    peerSecret: peerSecretFiles?.read() ?? null,
    peerSecretFiles,
    peerTls: peerTls(flags),
    superHash: superFiles?.read() ?? null,
    superFiles,
    identityFile: flags.identity === undefined ? null : resolve(flags.identity),
    auditFile: flags.auditFile === undefined ? null : resolve(flags.auditFile),
    auditsDenials: flags.auditDenials ?? false,
    auditOnError: onError(flags.auditOnError ?? "stop"),
    ...(flags.handshakes === undefined ? {} : { handshakes: flags.handshakes }),
    ...(flags.classes === undefined ? {} : { classes: flags.classes }),
    ...(flags.budgets === undefined ? {} : { budgets: flags.budgets }),
    ...(flags.silenceMs === undefined ? {} : { silenceMs: flags.silenceMs }),
    trustProxy: (flags.trustProxy ?? []).flatMap((list) => list.split(",")),
    adminListen: flags.adminListen === undefined ? null : parseAddress(flags.adminListen, "admin-listen"),
    tls: clientTls(flags),
    tlsFiles: filesOf([flags.tlsCert, flags.tlsKey, flags.tlsClientCa], () => clientTls(flags)),
    peerTlsFiles: filesOf([flags.peerTlsCert, flags.peerTlsKey, flags.peerTlsCa], () => peerTls(flags)),
    isReadOnly: flags.readOnly ?? false,
    snapshots: scheduleOf(flags),
    isInsecure: flags.insecure ?? false,
    files: inspectorFiles(),
    logger,
    onFatal: (error) => fatal(logger, error),
    ...numbers,
  });
  return flags.limits === undefined ? config : completeConfig({ ...config, limits: { ...config.limits, ...flags.limits } });
}

/**
 * What carries clients: `ws`, null here, where strangers may come; else uWebSockets.js where it is there and fits. SECURITY.md says why.
 */
async function transportOf({ transport = "auto", tlsCert }: ConfigFile, logger: Logger, isTrusting: boolean): Promise<ServerConfig["uws"]> {
  if (!["auto", "ws", "uws"].includes(transport)) throw new ConfigError("transport: must be auto, ws or uws");
  if (transport === "ws" || (transport === "auto" && (tlsCert !== undefined || !isTrusting))) return null;
  const found = await findUws();
  if (typeof found !== "string") return found;
  if (transport === "uws") throw new ConfigError(`transport: ${found}; auto and ws use ws`);
  logger.info({ why: found }, "using the ws transport for clients");
  return null;
}

/** The id, or, of `hostname`, the number at the end of the host's name and one: pods of a set are counted from 0. */
function memberOf(id: string): string {
  if (id !== "hostname") return id;
  const ordinal = /-(\d{1,8})$/.exec(hostname())?.[1];
  if (ordinal === undefined) throw new ConfigError(`id: the host's name, ${hostname()}, does not end with a number, as copse-0 does`);
  return String(Number(ordinal) + 1);
}

function parsePeers(list: string): { id: string; address: string }[] {
  const peers = list.split(",").filter((peer) => peer.trim() !== "");
  return peers.map((peer) => {
    const [id = "", address = ""] = peer.trim().split("=", 2);
    return { id, address };
  });
}

function scheduleOf({ snapshotEvery, snapshotKeep = 7, snapshotTo }: ConfigFile): ServerConfig["snapshots"] {
  if (snapshotEvery === undefined && snapshotTo === undefined) return null;
  if (snapshotEvery === undefined || snapshotTo === undefined) {
    throw new ConfigError("snapshot-every: --snapshot-every and --snapshot-to must be given together");
  }
  if (!(Number.isSafeInteger(snapshotKeep) && snapshotKeep > 0)) throw new ConfigError("snapshot-keep: must be a positive integer");
  const [, count, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(snapshotEvery) ?? [];
  if (count === undefined) throw new ConfigError("snapshot-every: must be a number and s, m, h or d, such as 6h");
  const everyMs = Number(count) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as "s" | "m" | "h" | "d"];
  // What a timer can count.
  if (everyMs > 2_147_483_647) throw new ConfigError("snapshot-every: must be at most 24d");
  return { everyMs, keep: snapshotKeep, folder: resolve(snapshotTo) };
}

function onError(said: string): "stop" | "drop" {
  if (said !== "stop" && said !== "drop") throw new ConfigError("audit-on-error: must be stop or drop");
  return said;
}

function clientTls({ tlsCert, tlsKey, tlsClientCa }: ConfigFile): ServerConfig["tls"] {
  if (tlsCert === undefined) {
    if (tlsClientCa !== undefined) throw new ConfigError("tls-client-ca: needs --tls-cert and --tls-key");
    return null;
  }
  const pair = { cert: readFile("tls-cert", tlsCert), key: readFile("tls-key", tlsKey!) };
  return tlsClientCa === undefined ? pair : { ...pair, clientCa: readFile("tls-client-ca", tlsClientCa) };
}

/** What can be read again while the hub runs; null where there is nothing to read. */
function filesOf<T>(files: readonly (string | undefined)[], read: () => T | null): { files: string[]; read: () => T } | null {
  const given = files.filter((file) => file !== undefined);
  return given.length === 0 ? null : { files: given, read: () => read()! };
}

function peerTls({ peerTlsCert, peerTlsKey, peerTlsCa }: ConfigFile): ServerConfig["peerTls"] {
  if (peerTlsCert === undefined && peerTlsKey === undefined && peerTlsCa === undefined) return null;
  if (peerTlsCert === undefined || peerTlsKey === undefined || peerTlsCa === undefined) {
    throw new ConfigError("peer-tls: --peer-tls-cert, --peer-tls-key and --peer-tls-ca must be given together");
  }
  return {
    cert: readFile("peer-tls-cert", peerTlsCert),
    key: readFile("peer-tls-key", peerTlsKey),
    ca: readFile("peer-tls-ca", peerTlsCa),
  };
}

function readFile(flag: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    throw new ConfigError(`${flag}: ${file} can't be read`);
  }
}

function parseAddress(address: string, flag = "listen"): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(address);
  if (match === null) throw new ConfigError(`${flag}: ${address} is not HOST:PORT`);
  return { host: match[1] ?? match[2] ?? "", port: Number(match[3]) };
}

function welcome(server: Server, flags: ServeFlags): void {
  const { znodes } = server.member.figures;
  print(`
  copse is running: one member, ${znodes} znodes, data in ${resolve(flags.data ?? ".copse")}

    Open     ${server.page}/

  and in a second terminal try

    npx copse create /hello world
    npx copse set /hello "and the page shows it"
    npx copse watch / --scope tree

  npm run demo shows a live page and three workers under one lock. Ctrl-C stops; the data stays.
`);
}
