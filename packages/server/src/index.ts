export { CorruptLogError } from "@copse/log";
export type { ServerBudgets } from "./budgets.ts";
export { findUws, type UwsModule } from "./clients/uws.ts";
export { completeConfig, isLoopback, isTrusting, type ServerConfig, type StaticFile } from "./config.ts";
export { ConfigError } from "./config-error.ts";
export { hashPassword } from "./credentials/passwords.ts";
export { FileDisk } from "./disk/file-disk.ts";
export { type Server, startServer } from "./server.ts";
