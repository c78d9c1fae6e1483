/**
 * The page: the login, a client of the server that served it, the model, the view.
 */
import { Copse } from "@copse/client";
import "./inspector-view.ts";
import { Login } from "./login/login.ts";
import { Model } from "./model/model.ts";

/** Where the page stands, which may be below a prefix of a proxy. */
const page = new URL(".", location.origin + location.pathname).href;

/** Shows the tree to whoever is at the page. Nothing that was shown to somebody else is kept. */
function show(): void {
  const before = document.querySelector("copse-inspector");
  const view = document.createElement("copse-inspector");
  const copse = new Copse([page], { sessionTimeoutMs: 10_000, auth: ({ reason }) => login.credentials(reason) });
  view.model = new Model(copse);
  view.login = login;
  if (before === null) document.body.prepend(view);
  else before.replaceWith(view);
  void before?.model.copse.close();
}

const login = new Login(page, show);
// The tree need not wait for how one logs in, unless somebody comes back from that.
if (!login.isReturning) show();
void login.prepare().then(() => {
  if (login.isReturning) show();
  else document.querySelector("copse-inspector")?.requestUpdate();
});
