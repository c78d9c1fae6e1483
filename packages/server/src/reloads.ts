/** What a member reads again while it runs: on SIGHUP, and when a file changes. */
import type { Logger } from "pino";
import type { AuditLog } from "./audit-log.ts";
import type { ClientListener } from "./clients/client-listener.ts";
import { checkSuperHash, type ServerConfig } from "./config.ts";
import type { CertificateEnds } from "./credentials/certificate-ends.ts";
import type { IdentitySource } from "./credentials/identity-source.ts";
import type { CredentialProver } from "./credentials/prover.ts";
import type { PeerMesh } from "./peers/peer-mesh.ts";
import { secretsOf } from "./peers/peer-secret.ts";
import { ReloadedFiles } from "./reloaded-files.ts";

/** Who goes by what was read. */
interface Readers {
  readonly identity: IdentitySource;
  readonly listener: ClientListener;
  readonly mesh: PeerMesh;
  readonly ends: CertificateEnds;
  readonly prover: CredentialProver;
  readonly audit: AuditLog | null;
}

export class Reloads {
  readonly #files: readonly Pick<ReloadedFiles, "reload" | "stop">[];
  readonly #audit: AuditLog | null;
  readonly #logger: Logger;

  constructor(
    { logger, tlsFiles, peerTlsFiles, peerSecretFiles, superFiles }: ServerConfig,
    { identity, listener, mesh, ends, prover, audit }: Readers,
  ) {
    this.#audit = audit;
    this.#logger = logger;
    const renewClients = (): void => {
      const pair = tlsFiles!.read();
      listener.renew(pair);
      ends.note("clients", pair);
    };
    const renewPeers = (): void => {
      const pair = peerTlsFiles!.read();
      mesh.renew(pair);
      ends.note("peers", pair);
    };
    const renewPeerSecret = (): void => mesh.rotate(secretsOf(peerSecretFiles!.read()));
    const renewSuper = (): void => {
      prover.passwords.superHash = checkSuperHash(superFiles!.read());
    };
    this.#files = [
      identity,
      new ReloadedFiles("certificate for clients", tlsFiles?.files ?? [], renewClients, logger),
      new ReloadedFiles("certificate for peers", peerTlsFiles?.files ?? [], renewPeers, logger),
      new ReloadedFiles("secret of the peers", peerSecretFiles?.files ?? [], renewPeerSecret, logger),
      new ReloadedFiles("password of super", superFiles?.files ?? [], renewSuper, logger),
    ];
  }

  /** Reads everything again, and opens the audit log anew: another program may have moved its file. */
  reload(): void {
    for (const files of this.#files) files.reload();
    try {
      this.#audit?.reopen();
    } catch (error) {
      this.#logger.error({ why: (error as Error).message }, "the audit log can't be opened anew: it goes on in the file that is open");
    }
  }

  stop(): void {
    for (const files of this.#files) files.stop();
  }
}
