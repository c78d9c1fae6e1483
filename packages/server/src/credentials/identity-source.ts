/**
 * The identity file while the hub runs: read at start, on SIGHUP, and when it changes. A file that can't be used keeps what was read before.
 */
import { readFileSync } from "node:fs";
import type { Anonymous, PolicySettings } from "@copse/replica";
import type { Logger } from "pino";
import { ConfigError } from "../config-error.ts";
import { ReloadedFiles } from "../reloaded-files.ts";
import { type IdentitySettings, noIdentitySettings, parseIdentityFile } from "./identity-file.ts";
import type { CredentialProver } from "./prover.ts";

export class IdentitySource {
  readonly #file: string | null;
  readonly #default: Anonymous;
  readonly #isTrusting: boolean;
  readonly #prover: CredentialProver;
  readonly #files: ReloadedFiles;
  readonly #changed: (settings: PolicySettings) => void;
  #settings: IdentitySettings = noIdentitySettings;

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
    this.#changed = options.changed;
    if (file !== null) this.#read();
    const again = (): void => {
      this.#read();
      this.#changed(this.policy);
    };
    this.#files = new ReloadedFiles("identity file", file === null ? [] : [file], again, options.logger);
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
    this.#files.reload();
  }

  #read(): void {
    const settings = parseIdentityFile(textOf(this.#file!));
    this.#prover.become(settings);
    this.#settings = settings;
  }

  stop(): void {
    this.#files.stop();
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`identity: ${file} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
