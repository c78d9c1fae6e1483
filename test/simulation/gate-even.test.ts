/** Half of the gate. */
import { gate } from "./gate.ts";

gate(0);
