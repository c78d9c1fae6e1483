export { CorruptLogError } from "@copse/log";
export { ConfigError, completeConfig, isLoopback, type ServerConfig, type StaticFile } from "./config.ts";
export { hashPassword } from "./credentials.ts";
export { FileDisk } from "./file-disk.ts";
export { type Server, startServer } from "./server.ts";
export { findUws, type UwsModule } from "./uws.ts";
