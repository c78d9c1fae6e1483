/**
 * Where the command writes, and how it asks for a connection: one place for all subcommands.
 */
import { readFileSync } from "node:fs";
import { type Copse, CopseError, type Credential, connect, isCopseError } from "@copse/client";
import { UsageError } from "./exit-code.ts";

export interface Shared {
  readonly url: string;
  readonly output: "text" | "json";
  readonly credentials: readonly Credential[];
  /** Where a token stands, which may be another one by the next connect. */
  readonly tokenFile?: string;
  /** Milliseconds to wait for a connection. */
  readonly waitMs: number;
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints rows in columns; the first is the heading. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    const cells = row.map((cell, column) => cell.padEnd(widths[column]!));
    print(cells.join("  ").trimEnd());
  }
}

export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Shows progress on a terminal, in place; nothing elsewhere. */
export function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}

/** Connects, runs, and closes, whatever happens. */
export async function withClient(shared: Shared, options: { readOnly?: boolean }, work: (copse: Copse) => Promise<void>): Promise<void> {
  const { url, credentials, tokenFile, waitMs } = shared;
  for (const one of url.split(",")) {
    if (!/^(wss?|https?):\/\//.test(one) || !URL.canParse(one))
      throw new UsageError(`${one} is not an address such as ws://127.0.0.1:7181`);
  }
  const all = (): readonly Credential[] =>
    tokenFile === undefined ? credentials : [...credentials, { scheme: "token", credential: tokenIn(tokenFile) }];
  const auth = all().length === 0 ? {} : { auth: all };
  const copse = await connect(url.split(","), { ...options, ...auth, name: "copse command", connectTimeoutMs: waitMs }).catch(
    (error: unknown) => {
      throw isCopseError(error, "TIMEOUT") ? new CopseError("UNAVAILABLE", error.message.replace(/^TIMEOUT: /, "")) : error;
    },
  );
  try {
    await work(copse);
  } finally {
    await copse.close();
  }
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    throw new UsageError(`--token-file: ${file} can't be read`);
  }
}

/** Aborts at Ctrl-C, SIGTERM, or when the terminal goes. */
export function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

/** Data as the members of a JSON object. */
export function shownDataOf(data: string | null, bytes: Uint8Array | null): { data?: string; data64?: string } {
  if (bytes !== null) return { data64: Buffer.from(bytes).toString("base64") };
  return data === null ? {} : { data };
}
