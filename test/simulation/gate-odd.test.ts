/** Half of the gate, and the seeds of today. */
import { gate, gateOfDay } from "./gate.ts";

gate(1);
gateOfDay();
