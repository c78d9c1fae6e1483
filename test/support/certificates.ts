/**
 * Certificates for tests of TLS, made by OpenSSL's own command.
 */
import { join } from "node:path";
import { temporaryFolder } from "./hub.ts";
import { run } from "./machine.ts";

/** Files in PEM. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export class CertificateAuthority {
  readonly #folder: string = temporaryFolder("certificates");
  readonly #ca: string = join(this.#folder, "ca");

  constructor() {
    run("openssl", "req", "-x509", ...newKey(this.#ca), "-out", `${this.#ca}.pem`, "-days", "2", "-subj", "/CN=ca");
  }

  /** A certificate with this common name, signed by the authority. */
  sign(name: string): Certificate {
    const at = join(this.#folder, name);
    const by = ["-CA", `${this.#ca}.pem`, "-CAkey", `${this.#ca}.key`, "-CAcreateserial", "-days", "2"];
    run("openssl", "req", ...newKey(at), "-out", `${at}.csr`, "-subj", `/CN=${name}`);
    run("openssl", "x509", "-req", "-in", `${at}.csr`, ...by, "-out", `${at}.pem`);
    return { key: `${at}.key`, cert: `${at}.pem`, ca: `${this.#ca}.pem` };
  }
}

function newKey(at: string): string[] {
  return ["-newkey", "rsa:2048", "-nodes", "-keyout", `${at}.key`];
}
