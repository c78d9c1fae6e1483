/** `pnpm faults [--power-cuts N]`: members on failing disks and networks, and as many power cuts as asked for. */
const at = process.argv.indexOf("--power-cuts");
process.env.COPSE_POWER_CUTS = at < 0 ? "20" : process.argv[at + 1];
process.argv = [process.argv[0], process.argv[1], "--project", "e2e", "faults"];
await import("./test.js");
