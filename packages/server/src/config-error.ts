/** A setting, or what it names, that can't be used. */
export class ConfigError extends Error {
  override readonly name: string = "ConfigError";
}
