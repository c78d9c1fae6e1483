/** What has to hold before clients are sent to a member: each check says why it fails, in words for operators. */
import type { Ensemble } from "../ensemble/ensemble.ts";
import { drained, removed } from "../sessions/sessions.ts";

export interface Check {
  readonly name: string;
  /** Null where it holds. */
  readonly why: string | null;
}

/** Txns that a member may be behind and still be asked, and how long a write may take before others had better go elsewhere. */
const lagMax = 500;
const stalledMsMax = 5_000;

export function checksOf(
  ensemble: Pick<Ensemble, "isRemoved" | "isDrained" | "waitsFor">,
  { isServing, behind, stalledMs }: { readonly isServing: boolean; readonly behind: number; readonly stalledMs: number },
): readonly Check[] {
  return [
    { name: "membership", why: ensemble.isRemoved ? removed.message : null },
    { name: "traffic", why: ensemble.isDrained ? drained.message : null },
    { name: "quorum", why: isServing ? null : (ensemble.waitsFor ?? "no quorum") },
    { name: "lag", why: behind > lagMax ? `behind by ${behind} txns` : null },
    { name: "writes", why: stalledMs > stalledMsMax ? "no write was confirmed for a while" : null },
  ];
}
