/**
 * What members prove themselves to each other with: there is always a secret.
 *
 * Beyond loopback somebody chooses it and gives it to every member in a file. On loopback, where no file is given, members of one user
 * share a secret of that user's own, made once: another user of the machine has no part in it.
 */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { ConfigError } from "../config-error.ts";

/** Bytes of a secret, as UTF-8: what is shorter can be guessed. */
const secretBytesMin = 16;

export interface PeerSecrets {
  /** What this member proves. */
  readonly secret: string;
  /** Accepted too while members change from one to the other. */
  readonly otherSecret: string | null;
  /** True for the user's own. */
  readonly isImplicit: boolean;
}

/** The secrets of a file: one line, or two during a rotation, the first of which is proved. @throws ConfigError */
export function secretsOf(text: string): PeerSecrets {
  const [secret, otherSecret = null, ...rest] = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (secret === undefined) throw new ConfigError("peer-secret-file: the secret is empty");
  if (rest.length > 0) throw new ConfigError("peer-secret-file: must have one line, or two during a rotation");
  for (const one of [secret, otherSecret]) {
    if (one !== null && Buffer.byteLength(one) < secretBytesMin) {
      throw new ConfigError(`peer-secret-file: a secret has at least ${secretBytesMin} bytes; openssl rand -base64 32 makes one`);
    }
  }
  return { secret, otherSecret, isImplicit: false };
}

/** The user's own secret, made where there is none yet. @throws ConfigError where it can't be read or made */
export function ownSecret(): PeerSecrets {
  const state = process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  const file = join(state, "copse", "peer-secret");
  try {
    return { secret: readOrMake(file), otherSecret: null, isImplicit: true };
  } catch (error) {
    throw new ConfigError(`peer-secret-file: none is given, and ${file} can't be used (${(error as Error).message})`);
  }
}

function readOrMake(file: string): string {
  if (!fs.existsSync(file)) {
    fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const fresh = `${file}.${process.pid}`;
    fs.writeFileSync(fresh, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
    try {
      // Of members that start at once one makes it, and all read the same.
      fs.linkSync(fresh, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      fs.unlinkSync(fresh);
    }
  }
  const stat = fs.statSync(file);
  if ((stat.mode & 0o077) !== 0) throw new Error("others may read it: chmod 600");
  if (process.getuid !== undefined && stat.uid !== process.getuid()) throw new Error("it is owned by another user");
  return secretsOf(fs.readFileSync(file, "utf8")).secret;
}
