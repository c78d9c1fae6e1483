/**
 * Where a client comes from: the address of its connection or, after proxies that are trusted, what they say of it.
 *
 * Invariant: only what a trusted proxy says counts; who could have written a header is believed in nothing. Of a trusted proxy that says
 * nothing, the client's address is unknown (""): it fits no `ip` grant.
 */
import { BlockList, isIP } from "node:net";

export interface ProxyHeaders {
  readonly forwarded: string | undefined;
  readonly xForwardedFor: string | undefined;
}

/** Addresses that one header may name. */
const hopsMax = 32;

export class TrustedProxies {
  readonly #list: BlockList = new BlockList();
  readonly #isEmpty: boolean;

  /** @param networks addresses, with or without a prefix length. @throws TypeError naming one that is none */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) {
      const [address = "", prefix, ...rest] = network.split("/");
      const family = isIP(address);
      const bits = prefix === undefined ? (family === 6 ? 128 : 32) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
      if (family === 0 || rest.length > 0 || bits < 0 || bits > (family === 6 ? 128 : 32)) throw new TypeError(network);
      this.#list.addSubnet(address, bits, family === 6 ? "ipv6" : "ipv4");
    }
  }

  /** The address of the client whose connection comes from `from`. */
  clientOf(from: string, { forwarded, xForwardedFor }: ProxyHeaders): string {
    if (this.#isEmpty || !this.trusts(from)) return from;
    const hops = forwarded !== undefined ? hopsOf(forwarded) : (xForwardedFor ?? "").split(",").map(bareAddress);
    // The last hop is what the proxy itself has seen; one that is trusted too has seen the one before.
    for (const hop of hops.slice(-hopsMax).reverse()) {
      if (isIP(hop) === 0) return "";
      if (!this.trusts(hop)) return hop;
    }
    return "";
  }

  /** True for the address of a proxy whose word counts. */
  trusts(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#list.check(address, family === 6 ? "ipv6" : "ipv4");
  }
}

/** The `for` of each element of a Forwarded header (RFC 7239). */
function hopsOf(header: string): string[] {
  return header.split(",").map((element) => {
    const pair = element.split(";").find((one) => /^\s*for=/i.test(one));
    return bareAddress((pair ?? "").replace(/^\s*for=/i, "").replace(/"/g, ""));
  });
}

/** Without a port, brackets or the prefix of an IPv4 address written as an IPv6 one. */
function bareAddress(text: string): string {
  const trimmed = text.trim();
  const inBrackets = /^\[([^\]]*)\](?::\d+)?$/.exec(trimmed)?.[1];
  const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d+$/.exec(trimmed)?.[1];
  return (inBrackets ?? withPort ?? trimmed).replace(/^::ffff:(?=\d+\.)/i, "").toLowerCase();
}
