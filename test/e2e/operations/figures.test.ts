/** What a member says of itself to those who watch over it: figures, from the first scrape on, and its readiness in detail. */
import { connect } from "@copse/client";
import { afterEach, describe, expect, it } from "vitest";
import { CertificateAuthority } from "../../support/certificates.ts";
import { EnsembleProcesses } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { freePort, killAll, serve, until } from "../../support/processes.ts";

afterEach(killAll);

const scraped = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
/** One series, by its name and labels as they stand in the text. */
const figure = (text: string, series: string): number => {
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? Number.NaN);
};
const ready = async (port: number): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz?verbose`);
  return `${answer.status}\n${await answer.text()}`;
};

describe("figures", { timeout: 120_000 }, () => {
  it("have every series from the first scrape on, and count what happens", async () => {
    const hub = await serve(temporaryFolder("figures"), await freePort(), "--log-level", "warn");
    const first = await scraped(hub.port);
    for (const op of ["get", "create", "connect", "snapshot", "subscribe"]) {
      expect([op, figure(first, `copse_request_seconds_count{op="${op}"}`)]).toEqual([op, 0]);
      expect([op, figure(first, `copse_requests_total{op="${op}"}`)]).toEqual([op, 0]);
    }
    for (const series of ["copse_sessions_expired_total", "copse_sessions_opened_total", "copse_proposals_repeated_total"]) {
      expect([series, figure(first, series)]).toEqual([series, 0]);
    }
    expect(first).toMatch(/^copse_build_info\{version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m);
    expect(figure(first, "copse_disk_free_bytes")).toBeGreaterThan(0);
    const client = await connect(hub.url);
    // It serves as soon as it has elected itself.
    const elected = await scraped(hub.port);
    expect(figure(elected, "copse_leader_changes_total")).toBe(1);
    expect(figure(elected, "copse_elections_total")).toBe(1);
    for (let count = 0; count < 5; count++) await client.set("/", String(count));
    await client.get("/");
    const text = await scraped(hub.port);
    expect(figure(text, 'copse_request_seconds_count{op="set"}')).toBe(5);
    expect(figure(text, 'copse_request_seconds_bucket{op="set",le="+Inf"}')).toBe(5);
    expect(figure(text, 'copse_request_seconds_count{op="get"}')).toBeGreaterThanOrEqual(1);
    expect(figure(text, 'copse_request_seconds_count{op="connect"}')).toBe(1);
    expect(figure(text, 'copse_request_seconds_sum{op="set"}')).toBeGreaterThan(0);
    expect(figure(text, "copse_sync_seconds_count")).toBeGreaterThanOrEqual(5);
    expect(figure(text, "copse_sessions_opened_total")).toBe(1);
    // Disks are looked at now and then.
    await until(async () => figure(await scraped(hub.port), "copse_log_disk_bytes") > 0);
    await client.close();
  });

  it("tell of peers, changes of the leader, and when certificates end", async () => {
    const { cert, key } = new CertificateAuthority().sign("localhost");
    const [port, admin] = [await freePort(), await freePort()];
    await serve(temporaryFolder("tls"), port, "--tls-cert", cert, "--tls-key", key, "--admin-listen", `127.0.0.1:${admin}`);
    const end = figure(await scraped(admin), 'copse_certificate_expires_seconds{use="clients"}');
    expect(Math.abs(end - Date.now() / 1_000 - 2 * 86_400)).toBeLessThan(3_600);
    const ensemble = await EnsembleProcesses.start(3);
    const leader = await ensemble.leader();
    const other = await ensemble.follower();
    await until(async () => figure(await scraped(other.port), `copse_peer_up{peer="${leader.id}"}`) === 1);
    const roundTrip = async (): Promise<number> => figure(await scraped(other.port), `copse_peer_rtt_seconds{peer="${leader.id}"}`);
    await until(async () => (await roundTrip()) > 0);
    expect(await roundTrip()).toBeLessThan(1);
    const before = figure(await scraped(other.port), "copse_leader_changes_total");
    await leader.process.kill9();
    await until(async () => figure(await scraped(other.port), "copse_leader_changes_total") > before);
    expect(figure(await scraped(other.port), `copse_peer_up{peer="${leader.id}"}`)).toBe(0);
  });
});

describe("readiness", { timeout: 120_000 }, () => {
  it("says each check", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const [one] = ensemble.members;
    await until(async () => (await ready(one!.port)).startsWith("200"));
    expect(await ready(one!.port)).toBe(
      "200\n[+] process\n[+] membership\n[+] traffic\n[+] quorum\n[+] lag\n[+] writes\n[+] heap\n[+] space\n[+] clock\n[+] snapshots\nready\n",
    );
    for (const member of ensemble.members.slice(1)) await member.process.kill9();
    await until(async () => (await ready(one!.port)).includes("[-] quorum: no quorum\n"));
    expect(await ready(one!.port)).toMatch(/^503\n[\s\S]*not ready: no quorum\n$/);
  });
});
