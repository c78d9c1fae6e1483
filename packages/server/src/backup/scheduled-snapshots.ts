/**
 * Snapshots that a hub saves by itself, at intervals, in a folder of their own; the oldest go.
 *
 * Invariant: what stands under its name is whole and durable. A snapshot that fails is said, counted, and tried again at the next interval;
 * the hub goes on.
 */
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { Member } from "@copse/replica";
import type { Logger } from "pino";

export interface SnapshotSchedule {
  /** Milliseconds between two. */
  readonly everyMs: number;
  /** How many stay. */
  readonly keep: number;
  /** The folder; it is made where it is missing. */
  readonly folder: string;
}

const name = /^copse-\d{8}T\d{6}Z-\d+\.snap$/;

export class ScheduledSnapshots {
  readonly #schedule: SnapshotSchedule;
  readonly #member: Member;
  readonly #dataDirectory: string;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #isSaving = false;
  /** Snapshots that could not be saved: for metrics. */
  failures = 0;
  /** True while the newest attempt has failed. */
  hasFailed = false;
  /** When the newest was saved, in milliseconds since the epoch; 0 for none since start. */
  savedAt = 0;

  constructor(schedule: SnapshotSchedule, member: Member, dataDirectory: string, logger: Logger) {
    this.#schedule = schedule;
    this.#member = member;
    this.#dataDirectory = dataDirectory;
    this.#logger = logger;
    this.#timer = setInterval(() => this.#begin(), schedule.everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What a member without a quorum has may be old, and what it has not been given yet is not saved. */
  #begin(): void {
    if (this.#isSaving || !this.#member.isServing) return;
    this.#isSaving = true;
    this.#member.openSnapshot((file, zxid, close) => {
      this.#save(file, zxid)
        .catch((error: Error) => {
          this.failures++;
          this.hasFailed = true;
          this.#logger.error({ why: error.message, folder: this.#schedule.folder }, "the scheduled snapshot can't be saved");
        })
        .finally(() => {
          close();
          this.#isSaving = false;
        });
    });
  }

  async #save(file: string, zxid: number): Promise<void> {
    const { folder, keep } = this.#schedule;
    await fs.mkdir(folder, { recursive: true, mode: 0o700 });
    const now = new Date();
    const saved = join(folder, `copse-${now.toISOString().replace(/[-:]|\.\d+/g, "")}-${zxid}.snap`);
    await fs.copyFile(join(this.#dataDirectory, file), `${saved}.part`, constants.COPYFILE_FICLONE);
    const handle = await fs.open(`${saved}.part`, "r+");
    try {
      await handle.chmod(0o600);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(`${saved}.part`, saved);
    this.savedAt = now.getTime();
    this.hasFailed = false;
    const all = (await fs.readdir(folder)).filter((one) => name.test(one)).sort();
    for (const old of all.slice(0, Math.max(0, all.length - keep))) await fs.unlink(join(folder, old));
    this.#logger.info({ file: saved, zxid }, "saved a snapshot");
  }
}
