/**
 * The host's clock, randomness and hash, as the core's ports want them.
 */
import { createHash, createHmac } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Clock, Hash, Random } from "@copse/replica";
import { nanoid } from "nanoid";

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
};

/** 22 characters of 64 are 132 random bits. */
export const systemRandom: Random = { token: () => nanoid(22) };

export const systemHash: Hash = {
  sha256: (text) => createHash("sha256").update(text).digest("hex"),
  hmac: (key, text) => createHmac("sha256", key).update(text).digest("hex"),
  crc32: (text) => crc32(text),
};
