/**
 * A page that follows a config znode: plain browser code, no framework.
 *
 * It keeps the last good value while the connection is away, and never shows what the server has not committed.
 */
import { connect, defineNode } from "@copse/client";

const hub = new URLSearchParams(location.search).get("hub") ?? `ws://${location.hostname}:7181`;
const show = (id, text) => {
  document.getElementById(id).textContent = text;
};

if (hub !== "ws://127.0.0.1:7181") {
  const command = document.getElementById("command");
  command.textContent = command.textContent.replace("npx copse", `npx copse --url ${hub}`);
}

const copse = await connect(hub, { sessionTimeoutMs: 10_000, signal: AbortSignal.timeout(5_000) }).catch((error) => {
  show("title", "Nothing to show yet");
  show("state", `Nothing answers at ${hub}. Is npm run demo running? Reload the page then.`);
  throw error;
});
document.getElementById("more").disabled = false;
const words = { connected: `Live from ${hub}`, suspended: "Reconnecting …", expired: "Connecting anew …", closed: "Closed" };
const showState = (state) => show("state", words[state] ?? "Connecting …");
showState(copse.state);
copse.onState(showState);

const Web = defineNode("/config/web");
copse.store(Web, { initial: { title: "", theme: "light", limit: 0, banner: "" } }).subscribe((config) => {
  document.documentElement.dataset.theme = config.theme;
  show("title", config.title);
  show("banner", config.banner);
  document.getElementById("values").replaceChildren(
    ...Object.entries(config).flatMap(([name, value]) => {
      const [term, description] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      description.textContent = JSON.stringify(value);
      return [term, description];
    }),
  );
});

document.getElementById("more").addEventListener("click", () => copse.update(Web, (config) => ({ ...config, limit: config.limit + 1 })));
