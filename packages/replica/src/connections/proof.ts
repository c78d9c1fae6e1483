/** What the credentials of a connect or an auth came to. */
import type { Identity } from "@copse/protocol";

/** Identities; or nothing, as a credential was wrong, too many wait to be proved, or too many wrong ones came from there. */
export type Proof = { readonly identities: readonly Identity[] } | "wrong" | "busy" | "throttled";
