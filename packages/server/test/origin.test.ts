/** Whom a page's origin lets in, however many advertise an address. */
import { expect, it } from "vitest";
import { OriginList } from "../src/clients/origin.ts";

it("reads each URL once, and no list twice: a handshake with a foreign origin costs the same however many edges there are", () => {
  let reads = 0;
  const counted = (urls: readonly string[]): readonly string[] =>
    new Proxy(urls, {
      get: (list, name, receiver) => {
        if (typeof name === "string" && /^\d+$/.test(name)) reads++;
        return Reflect.get(list, name, receiver);
      },
    });
  let urls = counted(Array.from({ length: 1_000 }, (_, at) => `wss://edge-${at}.example.com`));
  const origins = new OriginList(
    () => "ws://localhost:7181",
    () => urls,
    ["https://app.example.org/"],
  );
  for (let count = 0; count < 100; count++) expect(origins.allows("https://evil.example.net")).toBe(false);
  expect(reads).toBe(1_000);
  expect(origins.allows("https://edge-7.example.com:8443")).toBe(true);
  urls = counted(["wss://edge-7.example.com", "no URL"]);
  expect(origins.allows("https://edge-8.example.com")).toBe(false);
  expect(origins.allows("https://edge-7.example.com")).toBe(true);
  expect(reads).toBe(1_002);
  for (const origin of [undefined, "https://app.example.org", "http://127.0.0.1:3000"]) expect(origins.allows(origin)).toBe(true);
  for (const origin of ["null", "", "file://edge-7.example.com", "no URL"]) expect(origins.allows(origin)).toBe(false);
});
