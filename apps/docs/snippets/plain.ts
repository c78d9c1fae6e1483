/** Plain DOM: a store calls at once, then on each change. */
import type { Store } from "@copse/client";
import type { WebConfig } from "./web-config.ts";

/** Gives what ends it. */
export function showTheme(element: HTMLElement, config: Store<WebConfig>): () => void {
  return config.subscribe(({ theme }) => {
    element.textContent = theme;
  });
}
