/**
 * What this client has proved, and how that goes on: credentials are asked for again before they end, and when they are refused.
 *
 * Invariants: a host that wakes after the end renews before anything else is sent; a renewal is a write like any other, so it is done once
 * however often the connection breaks; a credential that is refused is asked for once more, then for a new session, then never again.
 */
import type { Credential, Identity, Reply, ReplyOf } from "@copse/protocol";
import type { CopseError } from "../errors.ts";
import type { ClientPorts } from "../transport.ts";
import type { Outbox, Pending } from "./outbox.ts";

/** Why credentials are asked for: for a connect, because the former ones end soon, or because they were refused. */
export type AuthReason = "connect" | "expiring" | "refused";

export type AskCredentials = (reason: AuthReason) => Promise<readonly Credential[]>;

/** How long until it tries again where the server can't look at a credential now, in milliseconds. */
const againMs = 5_000;

export class Renewal {
  readonly #ask: AskCredentials;
  readonly #ports: ClientPorts;
  readonly #outbox: Outbox;
  readonly #changed: () => void;
  readonly #flush: () => void;
  #identities: readonly Identity[] = [];
  /** On the wall clock, in milliseconds; null where nothing ends. */
  #endsAt: number | null = null;
  #isRenewing = false;
  /** The renewal that everything waits for. */
  #held: Pending | null = null;
  /** Connects in a row whose token was refused. */
  #refusals = 0;
  #cancel: () => void = () => {};

  /** @param events.changed the identities are others @param events.flush what was held may be sent */
  constructor(
    ask: AskCredentials,
    ports: ClientPorts,
    outbox: Outbox,
    events: { readonly changed: () => void; readonly flush: () => void },
  ) {
    this.#ask = ask;
    this.#ports = ports;
    this.#outbox = outbox;
    this.#changed = events.changed;
    this.#flush = events.flush;
  }

  get identities(): readonly Identity[] {
    return this.#identities;
  }

  /** When the first of them ends, on the wall clock, in milliseconds; null where nothing ends. */
  get endsAt(): number | null {
    return this.#endsAt;
  }

  /** True while nothing is sent, as what the client has proved has ended. */
  get isHolding(): boolean {
    return this.#held !== null;
  }

  /** Credentials for a connect. */
  forConnect(): Promise<readonly Credential[]> {
    return this.#ask(this.#refusals > 0 ? "refused" : "connect");
  }

  /** A connect, an auth or a logout was answered: this is what the session has proved. */
  proved({ identities = [], expiresAt }: { readonly identities?: readonly Identity[]; readonly expiresAt?: number }): void {
    this.#refusals = 0;
    this.#endsAt = expiresAt ?? null;
    this.#identities = Object.freeze([...identities]);
    this.#changed();
  }

  /** A connect with a token was refused: what to do next. */
  refused(hasSession: boolean): "again" | "new session" | "end" {
    this.#refusals++;
    if (this.#refusals === 1) return "again";
    return this.#refusals === 2 && hasSession ? "new session" : "end";
  }

  /** The server says that it ends soon. */
  expiring(): void {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    void this.#renew(null);
  }

  /** Looks at the clock, where the host may have slept. */
  look(): void {
    const now = this.#ports.wallNow?.();
    if (this.#endsAt === null || now === undefined || now < this.#endsAt || this.#isRenewing) return;
    this.#isRenewing = true;
    this.#held = this.#outbox.add({ op: "auth" }, "write", (reply) => this.#answered(reply));
    void this.#renew(this.#held);
  }

  end(): void {
    this.#cancel();
  }

  async #renew(held: Pending | null): Promise<void> {
    let credential: Credential | undefined;
    try {
      credential = (await this.#ask("expiring")).find(({ scheme }) => scheme === "token");
    } catch {
      // The application has none now: what has ended ends.
    }
    this.#held = null;
    if (credential === undefined) {
      this.#isRenewing = false;
      if (held !== null) this.#outbox.giveUp(held);
    } else if (held !== null) Object.assign(held.message, credential);
    else this.#outbox.add({ op: "auth", ...credential }, "write", (reply) => this.#answered(reply));
    this.#flush();
  }

  #answered(reply: Reply | CopseError): void {
    this.#isRenewing = false;
    const code = "error" in reply ? reply.error?.code : "code" in reply ? reply.code : undefined;
    if (code === "THROTTLED") this.#cancel = this.#ports.after(againMs, () => this.expiring());
    if (code === "AUTH_FAILED") this.#refusals++;
  }
}

/** True for a reply that says what the session has proved. */
export function isProof(op: unknown, reply: Reply): reply is ReplyOf<"auth"> {
  return (op === "auth" || op === "logout") && reply.error === undefined;
}
