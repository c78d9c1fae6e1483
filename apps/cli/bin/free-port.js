/** Ports for what runs beside a hub of `npm start`. */
import { createServer } from "node:net";

/** The wanted port, or a free one where something else is there: a hub of `npm start`, perhaps. */
export function freePort(wanted) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(freePort(0)));
    probe.listen(wanted, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
