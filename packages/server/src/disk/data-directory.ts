/**
 * A data directory: whose it is, and that only one process uses it.
 *
 * The identity file says the directory's own id, the cluster and the member. The lock is a Unix socket inside: a live
 * owner answers on it, a stale one (kill -9 leaves it behind) refuses the connection and is moved out of the way. Moving
 * is atomic, so of two that find the same stale lock only one moves it.
 */
import * as fs from "node:fs";
import * as net from "node:net";
import { join, relative } from "node:path";
import { ConfigError } from "../config-error.ts";

export interface DirectoryIdentity {
  readonly format: number;
  /** The directory's own id: files of another one are refused. */
  readonly directory: string;
  /** Null where the ensemble agrees on one: its state knows it. */
  readonly cluster: string | null;
  readonly member: string;
  /** It was made to be taken in by an ensemble, and never founds one. */
  readonly joins?: boolean;
}

const identityFormat = 1;
const identityFile = "identity.json";
const lockFile = "lock.sock";
/** Bytes of a Unix socket's path, on the system that allows the fewest. */
const socketPathBytesMax = 103;

export interface DataDirectory {
  readonly identity: DirectoryIdentity;
  /** Lets the next process in. */
  release(): Promise<void>;
}

/**
 * Opens a data directory, making it where it is missing.
 * @param begin what it is made for: a hub alone gives itself a cluster; others agree on one, or join one. Called where it is new
 * @throws ConfigError where another process uses it, or it belongs to another member
 */
export async function openDataDirectory(
  path: string,
  member: string,
  begin: () => "alone" | "founding" | "joining",
  token: () => string,
): Promise<DataDirectory> {
  fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  closeToOthers(path);
  const lock = await takeLock(path, token);
  try {
    const identity = readIdentity(path) ?? createIdentity(path, newIdentity(member, begin(), token));
    if (identity.member !== member) {
      throw new ConfigError(`data: ${path} belongs to member ${identity.member}, and this is member ${member}`);
    }
    return { identity, release: () => release(lock) };
  } catch (error) {
    await release(lock);
    throw error;
  }
}

function newIdentity(member: string, purpose: "alone" | "founding" | "joining", token: () => string): DirectoryIdentity {
  const identity = { format: identityFormat, directory: token(), cluster: purpose === "alone" ? token() : null, member };
  return purpose === "joining" ? { ...identity, joins: true } : identity;
}

/**
 * Opens a data directory that is there already, whoever's it is, for tools: nobody serves it meanwhile.
 * @throws ConfigError where there is none, or another process uses it
 */
export async function openIdleDirectory(path: string, token: () => string): Promise<DataDirectory> {
  if (!fs.existsSync(join(path, identityFile))) throw new ConfigError(`data: ${path} is not a data directory: it has no ${identityFile}`);
  const lock = await takeLock(path, token);
  return { identity: readIdentity(path)!, release: () => release(lock) };
}

/** Makes the identity of a directory that holds data already. */
export function writeIdentity(path: string, given: Omit<DirectoryIdentity, "format">): void {
  createIdentity(path, { format: identityFormat, ...given });
}

/** What is in it are names, data and what passwords become: nobody else's to read. Older builds left it open. */
function closeToOthers(path: string): void {
  if (fs.statSync(path).uid !== process.getuid?.()) return;
  fs.chmodSync(path, 0o700);
  for (const entry of fs.readdirSync(path, { withFileTypes: true })) if (entry.isFile()) fs.chmodSync(join(path, entry.name), 0o600);
}

function readIdentity(path: string): DirectoryIdentity | null {
  const file = join(path, identityFile);
  if (!fs.existsSync(file)) {
    const orphan = fs.readdirSync(path).find((name) => name.endsWith(".wal") || name.endsWith(".snap"));
    if (orphan !== undefined)
      throw new ConfigError(`data: ${path} holds ${orphan} but no ${identityFile}: can't tell which member the data belongs to`);
    return null;
  }
  const identity = JSON.parse(fs.readFileSync(file, "utf8")) as DirectoryIdentity;
  if (identity.format !== identityFormat)
    throw new ConfigError(`data: ${file} has format ${identity.format}; this build reads format ${identityFormat}`);
  return identity;
}

function createIdentity(path: string, identity: DirectoryIdentity): DirectoryIdentity {
  const file = join(path, identityFile);
  const fd = fs.openSync(`${file}.tmp`, "w", 0o600);
  fs.writeSync(fd, `${JSON.stringify(identity, null, 2)}\n`);
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  fs.renameSync(`${file}.tmp`, file);
  const directory = fs.openSync(path, "r");
  fs.fsyncSync(directory);
  fs.closeSync(directory);
  return identity;
}

async function takeLock(path: string, token: () => string): Promise<net.Server> {
  const socket = socketPath(path, lockFile);
  for (let attempt = 0; attempt < 3; attempt++) {
    const lock = await listen(socket);
    if (lock !== null) return lock;
    if (await isAnswered(socket)) break;
    const aside = socketPath(path, `stale-${token().slice(0, 6)}.sock`);
    try {
      fs.renameSync(socket, aside);
    } catch {
      continue; // Another process was faster to move it: look again.
    }
    if (await isAnswered(aside)) {
      // What was moved had come alive in between: it goes back to its owner.
      fs.renameSync(aside, socket);
      break;
    }
    fs.unlinkSync(aside);
  }
  throw new ConfigError(`data: ${path} is in use by another process. Is copse running already?`);
}

/** The shorter of the absolute and the relative path, for systems that allow only about a hundred bytes. */
function socketPath(path: string, name: string): string {
  const absolute = join(path, name);
  const here = relative(process.cwd(), absolute);
  const shorter = here !== "" && here.length < absolute.length ? here : absolute;
  if (Buffer.byteLength(shorter) > socketPathBytesMax) {
    throw new ConfigError(`data: the path of ${absolute} is too long for a Unix socket (${socketPathBytesMax} bytes)`);
  }
  return shorter;
}

function listen(socket: string): Promise<net.Server | null> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((peer) => peer.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(null) : reject(error)));
    server.listen(socket, () => resolve(server));
    server.unref();
  });
}

function isAnswered(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const peer = net.connect(socket);
    peer.once("connect", () => {
      peer.destroy();
      resolve(true);
    });
    peer.once("error", () => resolve(false));
  });
}

function release(lock: net.Server): Promise<void> {
  return new Promise((resolve) => lock.close(() => resolve()));
}
