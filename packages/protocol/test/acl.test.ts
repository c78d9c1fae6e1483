/** Repeated items of an ACL are said once; what differs in any way is not repeated. */
import { describe, expect, it } from "vitest";
import { uniqueItems } from "../src/acl.ts";

const item = (perms: readonly string[], scheme = "world", id = "anyone") => ({ perms, scheme, id });

describe("unique items", () => {
  it("keep the first of those that say the same, in any order of permissions", () => {
    const [one, other] = [item(["read", "write"]), item(["read"], "digest", "a:b")];
    expect(uniqueItems([one, other, item(["write", "read"]), item(["read", "read"], "digest", "a:b")])).toEqual([one, other]);
  });

  it("say auth once for the same permissions, whatever its id", () => {
    const auth = item(["read"], "auth", "");
    expect(uniqueItems([auth, item(["read"], "auth", "me"), item(["write"], "auth", "me")])).toEqual([auth, item(["write"], "auth", "me")]);
  });

  it("drop nothing that would be refused", () => {
    const items = [item(["read", "read"]), item(["read", "bogus"]), item([]), item(["read"], "world", "nobody")];
    expect(uniqueItems(items)).toEqual(items);
  });
});
