/** What the members of these tests have in common. */
import type { RaftOptions } from "../src/core.ts";

export const options = {
  electionTicks: 10,
  heartbeatTicks: 1,
  appendBytesMax: 1e6,
  applyBytesMax: 1e6,
  uncommittedBytesMax: 1e6,
  window: { countMax: 10, bytesMax: 0 },
  reads: "safe",
  stepsDownOnRemoval: false,
  skipsChangeValidation: false,
  random: () => 0,
} as const satisfies Partial<RaftOptions>;
