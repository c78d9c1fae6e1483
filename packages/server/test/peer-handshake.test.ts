/**
 * How members meet: the secret proves both sides before anything else is said, and what can't work together is refused with
 * both sides' words for it.
 */
import type { PeerFacts } from "@copse/replica";
import { describe, expect, it } from "vitest";
import { formats, Handshake, HandshakeError, type HandshakeOptions, type Met } from "../src/peers/peer-handshake.ts";

const factsOf = (member: string): PeerFacts => ({
  member,
  url: `ws://${member}`,
  peer: `host:${member}`,
  directory: `directory-${member}`,
  cluster: "c",
  isFounded: true,
  version: 3,
  founders: ["1", "2"],
  time: 0,
});

interface Meeting {
  readonly said: string[];
  readonly dialer: Met | null;
  readonly acceptor: Met | null;
  /** Of the side that ended it. */
  readonly error: Error | null;
  /** Of the side that was told so, where that one refused it. */
  readonly refused: Error | null;
}

/** Lets member 2 dial member 1; `bend` may change what one says on its way. */
function meet(
  options: { dialer?: Partial<HandshakeOptions>; acceptor?: Partial<HandshakeOptions>; bend?: (text: string) => string } = {},
): Meeting {
  const { bend = (text: string) => text } = options;
  const said: string[] = [];
  const waiting: { readonly to: "dialer" | "acceptor"; readonly text: string }[] = [];
  const send = (to: "dialer" | "acceptor") => (text: string) => {
    said.push(text);
    waiting.push({ to, text: bend(text) });
  };
  const common = { certified: null, secret: null, refusal: () => null } as const;
  const acceptor = new Handshake({
    ...common,
    role: "acceptor",
    member: "1",
    to: null,
    facts: () => factsOf("1"),
    send: send("dialer"),
    ...options.acceptor,
  });
  const dialer = new Handshake({
    ...common,
    role: "dialer",
    member: "2",
    to: "1",
    facts: () => factsOf("2"),
    send: send("acceptor"),
    ...options.dialer,
  });
  const met: { dialer: Met | null; acceptor: Met | null } = { dialer: null, acceptor: null };
  const told = (): Error | null => {
    const last = waiting.shift();
    try {
      if (last !== undefined) (last.to === "dialer" ? dialer : acceptor).take(last.text);
    } catch (error) {
      return error as Error;
    }
    return null;
  };
  try {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      met[next.to] = (next.to === "dialer" ? dialer : acceptor).take(next.text) ?? met[next.to];
    }
  } catch (error) {
    return { said, ...met, error: error as Error, refused: told() };
  }
  return { said, ...met, error: null, refused: null };
}

describe("two members", () => {
  it("meet in five frames and know each other, with a secret and without", () => {
    for (const secret of [null, "shared"]) {
      const { said, dialer, acceptor, error } = meet({ dialer: { secret }, acceptor: { secret } });
      expect([error, said.length]).toEqual([null, 5]);
      expect([dialer?.facts, acceptor?.facts]).toEqual([factsOf("1"), factsOf("2")]);
      expect(said.join("")).not.toContain("shared");
    }
  });

  it("of builds whose formats overlap meet; others are refused, and both are named", () => {
    const [, newest] = formats.txn;
    const claim = (name: string, range: readonly number[]) => (text: string) =>
      JSON.stringify({
        ...(JSON.parse(text) as object),
        ...(text.includes('"formats"') ? { formats: { ...formats, [name]: range } } : {}),
      });
    expect(meet({ bend: claim("txn", [newest, newest + 5]) }).error).toBeNull();
    expect(meet({ bend: claim("txn", [1, 1]) }).error).toBeNull();
    for (const [name, range] of [
      ["txn", [newest + 1, newest + 2]],
      ["peer", [9, 9]],
      ["txn", [0, 0]],
      ["peer", []],
    ] as const) {
      const { error, acceptor } = meet({ bend: claim(name, range) });
      expect(error).toBeInstanceOf(HandshakeError);
      expect(error?.message).toMatch(new RegExp(`${name} format is .* this build's \\d+ to \\d+: upgrade one step at a time`));
      expect(acceptor).toBeNull();
    }
  });

  it("with another secret, another certificate or another name are refused before they say anything of themselves", () => {
    const wrong = meet({ dialer: { secret: "a" }, acceptor: { secret: "b" } });
    expect(wrong.error?.message).toContain("its secret does not match");
    expect(meet({ acceptor: { certified: "9" } }).error?.message).toContain("its certificate is that of member 9");
    expect(meet({ dialer: { to: "7" } }).error?.message).toContain("this is member 1, not 7");
    expect(wrong.said.join("")).not.toContain("directory-1");
    expect(meet({ acceptor: { refusal: () => ({ kind: "not-a-member", member: "2", version: 3 }) } }).error?.message).toContain(
      "not of this ensemble",
    );
  });

  it("tell one that was removed, and only by a side that has proved itself", () => {
    const not = (member: string) => ({ refusal: () => ({ kind: "not-a-member", member, version: 3 }) as const });
    const removedIn = (given: Parameters<typeof meet>[0]): number | null | undefined =>
      (meet(given).refused as HandshakeError | null)?.removedIn;
    const secret = "shared";
    expect(removedIn({ dialer: { secret }, acceptor: { secret, ...not("2") } })).toBe(3);
    expect(removedIn({ dialer: { secret, ...not("1") }, acceptor: { secret } })).toBe(3);
    const lie = JSON.stringify({ refused: "you are out", removedIn: 9, proof: "AAAA" });
    const lied = meet({ dialer: { secret }, acceptor: { secret }, bend: (text) => (text.includes('"member":"1"') ? lie : text) });
    expect(lied.error).toMatchObject({ message: expect.stringContaining("you are out"), removedIn: null });
    expect(removedIn({ acceptor: not("2") })).toBeNull();
  });

  it("can't be played by a record of another meeting", () => {
    const first = meet({ dialer: { secret: "s" }, acceptor: { secret: "s" } });
    const [, , proof] = first.said;
    const replayed = meet({
      dialer: { secret: "s" },
      acceptor: { secret: "s" },
      bend: (text) => (text.includes('"facts"') && text.includes('"proof"') ? proof! : text),
    });
    expect(replayed.error?.message).toContain("its secret does not match");
  });
});
