/**
 * snapshot, recover, verify, log: the whole state as a file, and data directories that nobody serves.
 */
import { createWriteStream, renameSync, rmSync } from "node:fs";
import {
  ConfigError,
  CorruptLogError,
  type DirectorySummary,
  describeSnapshot,
  logRecords,
  type NewBeginning,
  recoverAlone,
  restoreSnapshot,
  type SnapshotSummary,
  verifyDirectory,
} from "@copse/server";
import { note, print, progress, type Shared, withClient } from "../terminal.ts";

/** Writes a snapshot of the whole state, as the member that answers has it, and looks whether it arrived whole. */
export async function saveSnapshot(file: string, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    // What was written before this command was called is in it, whichever member answers.
    await copse.sync();
    const temporary = `${file}.part`;
    try {
      const out = createWriteStream(temporary, { mode: 0o600 });
      const failed = new Promise<never>((_, reject) => out.once("error", reject));
      const save = async (): Promise<void> => {
        for (let offset = 0, hasMore = true; hasMore; ) {
          const { data, more } = await copse.snapshot(offset);
          if (!out.write(data)) await new Promise<void>((resolve) => out.once("drain", () => resolve()));
          offset += data.length;
          hasMore = more;
          progress(`saved ${offset} bytes`);
        }
        await new Promise<void>((resolve) => out.end(() => resolve()));
      };
      await Promise.race([save(), failed]);
      progress("");
      const summary = describeSnapshot(temporary);
      renameSync(temporary, file);
      show(summary, shared, `saved ${file}: ${inWords(summary)}`);
    } catch (error) {
      progress("");
      rmSync(temporary, { force: true });
      throw error;
    }
  });
}

/** Says what a snapshot holds; reads the whole file for that. */
export function showSnapshot(file: string, shared: Shared): void {
  const summary = describeSnapshot(file);
  show(summary, shared, `${file}: ${inWords(summary)}`);
}

export async function restore(file: string, { data, id = "1" }: { data: string; id?: string }, shared: Shared): Promise<void> {
  if (!/^[1-9]\d{0,8}$/.test(id)) throw new ConfigError("id: a member's id is a positive integer");
  const begun = await restoreSnapshot(file, data, id);
  show(begun, shared, `restored ${file} to ${data}: ${anew(begun)}\n\n${next(begun, data)}`);
}

export async function recover({ data }: { data: string; alone: true }, shared: Shared): Promise<void> {
  const { uncommitted } = await verifyDirectory(data);
  const begun = await recoverAlone(data);
  const lost =
    "Writes that a majority of the other members had acknowledged, and that this member had not received, are lost. " +
    `${uncommitted} ${uncommitted === 1 ? "entry" : "entries"} at the end of its log may never have been acknowledged, and count now.`;
  show(begun, shared, `recovered ${data}: ${anew(begun)}\n${lost}\nWhat was there before is in ${begun.before}.\n\n${next(begun, data)}`);
}

/** Says whether a data directory can be believed. */
export async function verify(directory: string, shared: Shared): Promise<void> {
  const summary = await verifyDirectory(directory);
  show(summary, shared, directoryInWords(directory, summary));
}

/** Prints the entries of a log, a line of JSON for each. */
export async function printLog(directory: string): Promise<void> {
  for (const record of await logRecords(directory)) print(JSON.stringify(record));
}

/** As commands of a terminal fail: what is wrong with a file or a directory is a line, not a stack. */
export async function offline(work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof ConfigError || error instanceof CorruptLogError) throw new Error(error.message);
    throw error;
  }
}

function show(summary: object, { output }: Shared, words: string): void {
  if (output === "json") print(JSON.stringify(summary));
  else if (words.includes("\n")) for (const line of words.split("\n")) note(line);
  else print(words);
}

function inWords({ znodes, sessions, zxid, time, bytes, cluster }: SnapshotSummary): string {
  return `${znodes} znodes, ${sessions} sessions, zxid ${zxid}, ${new Date(time).toISOString()}, ${bytes} bytes, cluster ${cluster}`;
}

function directoryInWords(directory: string, summary: DirectorySummary): string {
  const { member, znodes, zxid, lastIndex, lastTerm, snapshotIndex, uncommitted, tornBytes, damaged } = summary;
  const torn = tornBytes === 0 ? "" : `, ${tornBytes} bytes of a write that was cut short`;
  const open = uncommitted === 0 ? "" : `, ${uncommitted} entries not known to be committed`;
  const unneeded = damaged.length === 0 ? "" : `, DAMAGED and not needed: ${damaged.join(", ")}`;
  return `${directory}: whole. Member ${member}, ${znodes} znodes, zxid ${zxid}, last entry ${lastIndex} of term ${lastTerm}, snapshot at ${snapshotIndex}${open}${torn}${unneeded}`;
}

function anew({ cluster, znodes, zxid, raisedBy, sessionsEnded }: NewBeginning): string {
  return `${znodes} znodes, cluster ${cluster}, zxid ${zxid} (raised by ${raisedBy}), ${sessionsEnded} sessions ended with their ephemerals`;
}

function next({ member }: NewBeginning, data: string): string {
  return (
    `Start it with its usual settings (listen, advertise, peer-listen, secret, certificates): copse serve --id ${member} --data ${data} …\n` +
    "It is a new cluster: restart the clients, too. Then add the other members anew, each with an empty data directory:\n" +
    "copse member add ID --peer HOST:PORT"
  );
}
