/**
 * The page: a client to the server it came from, the model, the view.
 */
import { Copse } from "@copse/client";
import "./inspector-view.ts";
import { Model } from "./model/model.ts";

const view = document.querySelector("copse-inspector");
if (view !== null) view.model = new Model(new Copse([location.origin], { sessionTimeoutMs: 10_000 }));
