// The application: its views, by the part of the URL after the `#`.
import { render } from "./vendor/preact.mjs";
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import { Calls } from "./calls.js";
import { Files } from "./files.js";
import { Operations } from "./operations.js";
import { Overview } from "./overview.js";
import { Problems } from "./problems.js";
import { Badge, classes, html, request, useLoaded } from "./lib.js";

const VIEWS = [
  ["", "Overview", Overview],
  ["operations", "Operations", Operations],
  ["calls", "Calls", Calls],
  ["problems", "Problems", Problems],
  ["files", "Files", Files],
];

const route = () => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);

function App() {
  const [path, setPath] = useState(route());
  useEffect(() => {
    const follow = () => setPath(route());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const [key, name, View] = VIEWS.find(([each]) => each === path[0]) ?? VIEWS[0];
  useEffect(() => { document.title = `${name} · adapter-host`; }, [name]);
  const host = useLoaded(() => request("/api/overview"), key);
  const data = host.data;
  const edits = useRef(false);
  if (data) edits.current = data.edits;
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="top">
      <a class="brand" href="#/"><img src="/static/icon.svg" alt="" width="22" height="22" /><span>adapter-host</span></a>
      <nav aria-label="Views">${VIEWS.filter(([each]) => each !== "files" || edits.current).map(([each, text]) => html`<a href=${`#/${each}`}
        class=${classes(each === key && "on")} aria-current=${each === key ? "page" : undefined}>${text}</a>`)}</nav>
      <div class="state">
        ${data?.mock && html`<${Badge} kind="warn" title="Consumed APIs are replaced by a mock server">mock<//>`}
        ${data?.worker && html`<${Badge} title="The calls are those of this process; each other worker has a console of its own">worker ${data.worker}<//>`}
        ${data?.role === "read-only" && html`<${Badge} title="This session sees everything, and calls, decides and changes nothing">read-only<//>`}
        ${data?.draining && html`<${Badge} kind="bad">draining<//>`}
        <button type="button" class="quiet" onClick=${logOut}>Log out</button>
      </div>
    </header>
    <main id="main" tabindex="-1"><${View} path=${path.slice(1)} host=${host} /></main>`;
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
