/** React: a store is what useSyncExternalStore asks for, as it is. */
import type { Store } from "@copse/client";
import { type ReactElement, useSyncExternalStore } from "react";
import type { WebConfig } from "./web-config.ts";

export function Theme({ config }: { config: Store<WebConfig> }): ReactElement {
  const { theme } = useSyncExternalStore(config.subscribe, config.get);
  return <p>{theme}</p>;
}
