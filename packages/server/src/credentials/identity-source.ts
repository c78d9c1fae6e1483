/**
 * The identity file while the hub runs: read at start, on SIGHUP, and when it changes. A file that can't be used keeps what was read before.
 */
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import type { Anonymous, PolicySettings } from "@copse/replica";
import type { Logger } from "pino";
import { ConfigError } from "../config-error.ts";
import { type IdentitySettings, noIdentitySettings, parseIdentityFile } from "./identity-file.ts";
import type { CredentialProver } from "./prover.ts";

/** How often the file is looked at, in milliseconds. */
const lookMs = 1_000;

export class IdentitySource {
  readonly #file: string | null;
  readonly #default: Anonymous;
  readonly #isTrusting: boolean;
  readonly #prover: CredentialProver;
  readonly #logger: Logger;
  readonly #changed: (settings: PolicySettings) => void;
  #settings: IdentitySettings = noIdentitySettings;
  readonly #look = (): void => this.reload();

  /**
   * Reads the file.
   * @param file null where nobody but super has a name
   * @param options.anonymous what holds where the file does not say it
   * @throws ConfigError naming what is wrong
   */
  constructor(
    file: string | null,
    options: {
      readonly anonymous: Anonymous;
      readonly isTrusting: boolean;
      readonly prover: CredentialProver;
      readonly logger: Logger;
      readonly changed: (settings: PolicySettings) => void;
    },
  ) {
    this.#file = file;
    this.#default = options.anonymous;
    this.#isTrusting = options.isTrusting;
    this.#prover = options.prover;
    this.#logger = options.logger;
    this.#changed = options.changed;
    if (file === null) return;
    this.#settings = parseIdentityFile(textOf(file));
    this.#prover.become(this.#settings);
    watchFile(file, { interval: lookMs, persistent: false }, this.#look);
  }

  get settings(): IdentitySettings {
    return this.#settings;
  }

  get policy(): PolicySettings {
    const { anonymous, issuers } = this.#settings;
    return {
      anonymous: anonymous ?? this.#default,
      isTrusting: this.#isTrusting,
      retentionMs: new Map(issuers.map(({ name, lifetimeMsMax }) => [name, lifetimeMsMax])),
    };
  }

  /** Reads the file again. Nobody's connection is dropped for it, unless it says so. */
  reload(): void {
    if (this.#file === null) return;
    try {
      const settings = parseIdentityFile(textOf(this.#file));
      this.#prover.become(settings);
      this.#settings = settings;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#logger.error({ why: error.message }, "the identity file can't be used; what was read before still holds");
      return;
    }
    this.#logger.info(
      { issuers: this.#settings.issuers.map(({ name }) => name), anonymous: this.policy.anonymous },
      "read the identity file",
    );
    this.#changed(this.policy);
  }

  stop(): void {
    if (this.#file !== null) unwatchFile(this.#file, this.#look);
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`identity: ${file} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
