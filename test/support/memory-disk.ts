/** The memory disk over this host's text and turns. */
import { MemoryDisk } from "@copse/log";

export function memoryDisk(): MemoryDisk {
  return new MemoryDisk({
    encode: (text) => Buffer.from(text, "utf8"),
    decode: (bytes) => Buffer.from(bytes).toString("utf8"),
    base64: (bytes) => Buffer.from(bytes).toString("base64"),
    defer: (run) => setImmediate(run),
  });
}
