// The application: its views, by the part of the URL after the `#`; some are only shown if the host offers their data.
import { render } from "./vendor/preact.mjs";
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import { Approvals } from "./approvals.js";
import { Audit } from "./audit.js";
import { Calls } from "./calls.js";
import { Files } from "./files.js";
import { Health } from "./health.js";
import { Operations } from "./operations.js";
import { Overview } from "./overview.js";
import { usePolled } from "./polling.js";
import { Problems } from "./problems.js";
import { Badge, classes, html, request, useLoaded } from "./lib.js";

const VIEWS = [
  ["", "Overview", Overview],
  ["operations", "Operations", Operations],
  ["calls", "Calls", Calls],
  ["health", "Health", Health],
  ["approvals", "Approvals", Approvals, "decides"],
  ["audit", "Audit", Audit, "audits"],
  ["problems", "Problems", Problems],
  ["files", "Files", Files, "edits"],
];

const WAITING_PERIOD = 2000;

const route = () => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);

function App() {
  const [path, setPath] = useState(route());
  useEffect(() => {
    const follow = () => setPath(route());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const [key, name, View] = VIEWS.find(([each]) => each === path[0]) ?? VIEWS[0];
  useEffect(() => {
    document.title = `${name} · adapter-host`;
    document.querySelector("nav .on")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [name]);
  const host = useLoaded(() => request("/api/overview"), key);
  const data = host.data;
  const offers = useRef(null);
  if (data) offers.current = data;
  const isShown = ([each, , , needs]) => !needs || each === key || offers.current?.[needs];
  const waiting = usePolled(offers.current?.decides ? () => request("/api/decisions") : null, WAITING_PERIOD);
  const count = waiting.data?.total ?? 0;
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="top">
      <a class="brand" href="#/"><img src="/static/icon.svg" alt="" width="22" height="22" /><span>adapter-host</span></a>
      <nav aria-label="Views">${VIEWS.filter(isShown).map(([each, text]) => html`<a href=${`#/${each}`}
        class=${classes(each === key && "on")} aria-current=${each === key ? "page" : undefined}>${text}${each === "approvals"
        && count > 0 && html`<span class="count">${count}<span class="hidden"> waiting</span></span>`}</a>`)}</nav>
      <div class="state">
        ${data?.mock && html`<${Badge} kind="warn" title="Consumed APIs are replaced by a mock server">mock<//>`}
        ${data?.worker && html`<${Badge} title="The calls are those of this process; each other worker has a console of its own">worker ${data.worker}<//>`}
        ${data?.role === "read-only" && html`<${Badge} title="This session sees everything, and calls, decides and changes nothing">read-only<//>`}
        ${data?.draining && html`<${Badge} kind="bad">draining<//>`}
        <button type="button" class="quiet" onClick=${logOut}>Log out</button>
      </div>
    </header>
    <main id="main" tabindex="-1"><${View} path=${path.slice(1)} host=${host} waiting=${waiting} /></main>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

async function logOut() {
  await request("/logout", {});
  location.assign("/login");
}

render(html`<${App} />`, document.getElementById("app"));
