/** Who the client of a connection has proved to be, as far as it counts. */
import { type Caller, type Identities, noIdentities, type Proof } from "@copse/tree";

export class ProvedIdentities {
  #certificate: Proof | null;
  readonly #address: string;
  #held: Identities = noIdentities;
  #caller: Caller;
  #hasLapsed = false;

  constructor({ address, certificate = null }: { readonly address: string; readonly certificate?: Proof | null }) {
    this.#address = address;
    this.#certificate = certificate;
    this.#caller = this.#callerWith(noIdentities);
  }

  /** What the certificate of the client proves: the connection's, as the address is, and not the session's. */
  get certificate(): Proof | null {
    return this.#certificate;
  }

  /** When the first of all ends, on the wall clock; Infinity where nothing does. */
  get endsAt(): number {
    return Math.min(this.#held.endsAt, this.#certificate?.expiresAt ?? Number.POSITIVE_INFINITY);
  }

  /** The certificate counts no more once it has ended. */
  lookAtCertificate(wall: number): void {
    if (wall < (this.#certificate?.expiresAt ?? Number.POSITIVE_INFINITY)) return;
    this.#certificate = null;
    this.#caller = this.#callerWith(this.#held);
  }

  /** Without the certificate. */
  get held(): Identities {
    return this.#held;
  }

  get caller(): Caller {
    return this.#caller;
  }

  /** True while the state still counts what has ended: the connection runs and answers nothing meanwhile. */
  get hasLapsed(): boolean {
    return this.#hasLapsed;
  }

  /** This counts from now on, and nothing else. */
  become(held: Identities): void {
    this.#hasLapsed = false;
    if (held === this.#held) return;
    this.#held = held;
    this.#caller = this.#callerWith(held);
  }

  /** What has ended counts no more, whatever the state says. */
  lapse(held: Identities): void {
    this.become(held);
    this.#hasLapsed = true;
  }

  #callerWith(held: Identities): Caller {
    const certificate = this.#certificate;
    return { identities: certificate === null ? held.all : held.renewedBy([], [certificate]).all, address: this.#address };
  }
}
