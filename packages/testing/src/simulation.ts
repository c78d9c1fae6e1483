/** The parts of a simulated world, for who builds simulators of their own: everything follows from a seed. */
export type { ClientConnection } from "./client-connection.ts";
export type { EnsembleWatcher } from "./ensemble-watcher.ts";
export { type DiskFaults, FaultDisk } from "./fault-disk.ts";
export { Prng } from "./prng.ts";
export {
  defaultSettings,
  type EnsembleDelays,
  type EnsembleFaults,
  type EnsembleSettings,
  noFaults,
  SimulatedEnsemble,
} from "./simulated-ensemble.ts";
export { SimulatedMember } from "./simulated-member.ts";
export { World } from "./world.ts";
