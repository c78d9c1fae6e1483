/**
 * What the certificate of a client proves: its subject's distinguished name (RFC 2253), until it ends.
 */
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Proof } from "@copse/replica";

/** Bytes of a name that an identity may hold. */
const nameBytesMax = 256;

/** Null where the client has shown none, and `wrong` where it has shown one that proves nothing here. */
export function certificateProof(socket: TLSSocket): Proof | null | "wrong" {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  const name = distinguishedName(certificate);
  if (!socket.authorized || name === "" || Buffer.byteLength(name) > nameBytesMax) return "wrong";
  return { identities: [{ scheme: "x509", id: name }], expiresAt: Date.parse(certificate.validTo) };
}

/** Node gives a line for each part, the first one of the certificate first; its values are escaped already. */
function distinguishedName({ subject }: X509Certificate): string {
  return ((subject as string | undefined) ?? "")
    .split("\n")
    .map((part) => part.replaceAll(" + ", "+"))
    .reverse()
    .join(",");
}
