// The documentation of an exposer: its operations, found by a search, and a form to try each of them.
import { render } from "./vendor/preact.mjs";
import { useEffect, useMemo, useState } from "./vendor/hooks.mjs";
import { CredentialForm, credentialParts } from "./credentials.js";
import { operationsOf, search } from "./document.js";
import { Badge, classes, html, Notice, plural, pretty, Title } from "./elements.js";
import { saveFile } from "./files.js";
import { fragmentOf, readFragment } from "./fragment.js";
import { Operation } from "./operation.js";
import { SearchList } from "./rows.js";

const place = document.getElementById("app");
const offersTry = place.dataset.docs === "try";
const scheme = JSON.parse(place.dataset.scheme ?? "null");
const root = location.origin + location.pathname.replace(/\/docs$/, "");
// With its own credentials, a browser would ask for a user name itself.
const mode = scheme?.type === "basic" ? "omit" : "same-origin";

/** Load the OpenAPI document; return it, or why it cannot be shown. */
async function load(credential) {
  const { headers = {}, query = [] } = credential ? credentialParts(credential) : {};
  const search = query.length ? `?${new URLSearchParams(query)}` : "";
  try {
    const response = await fetch(`${root}/openapi.json${search}`, { headers, credentials: mode });
    if (response.status === 401 && scheme) return { failed: true };
    if (!response.ok) return { error: `The OpenAPI document is not available: ${response.status} ${response.statusText}` };
    return { document: await response.json(), access: { credential, mode } };
  } catch {
    return { error: "The exposer does not respond, or not with an OpenAPI document." };
  }
}

function App() {
  const [state, setState] = useState({ asks: scheme !== null });
  const open = (credential) => load(credential).then(setState);
  useEffect(() => { if (!scheme) open(null); }, []);
  if (state.asks || state.failed) return html`<${CredentialForm} scheme=${scheme} failed=${state.failed} onSubmit=${open} />`;
  if (state.error) return html`<main class="page"><${Notice} kind="error">${state.error}<//></main>`;
  if (!state.document) return html`<main class="page" aria-busy="true"><p class="empty" role="status">Loading the OpenAPI document…</p></main>`;
  return html`<${Documentation} document=${state.document} access=${state.access} onForget=${() => setState({ asks: true })} />`;
}

function Documentation({ document: api, access, onForget }) {
  const operations = useMemo(() => operationsOf(api), [api]);
  const [{ id, query }, setPlace] = useState(readFragment());
  const found = useMemo(() => search(operations, query), [operations, query]);
  useEffect(() => {
    const follow = () => setPlace(readFragment());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const chosen = operations.find((each) => each.id === id);
  useEffect(() => { document.title = chosen ? `${chosen.method} ${chosen.path} · ${api.info.title}` : api.info.title; }, [chosen]);
  const onQuery = (next) => {
    history.replaceState(null, "", fragmentOf(id, next));
    setPlace({ id, query: next });
  };
  const row = (number) => found[number] && html`<${Row} operation=${found[number]} chosen=${id} query=${query} />`;
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="top"><a class="brand" href="#"><img src="docs/icon.svg" alt="" width="22" height="22" /><span>${api.info.title}</span></a>
      ${api.info.version !== "unspecified" && html`<${Badge}>${api.info.version}<//>`}
      <div class="state">${access.credential ? html`<button type="button" class="quiet" onClick=${() => saveDocument(api)}>OpenAPI</button>
          <button type="button" class="quiet" onClick=${onForget}>Forget the credentials</button>`
        : html`<a href="docs/read">All on one page</a><a href="openapi.json">OpenAPI</a>`}</div></header>
    <main id="main" tabindex="-1"><div class=${classes("split", id && "chosen")}>
      <${SearchList} label="Operations" query=${query} onQuery=${onQuery} view=${query} total=${found.length}
        status=${plural(found.length, "operation")} row=${row} />
      <section class="detail" aria-label="Operation">${chosen ? html`<${Operation} key=${chosen.id} operation=${chosen} document=${api} root=${root}
          access=${access} offersTry=${offersTry} back=${fragmentOf("", query)} />` : html`<${Start} api=${api} id=${id} />`}</section>
    </div></main>`;
}

// A link would not send the credentials.
const saveDocument = (api) => saveFile([pretty(api)], "application/json", "openapi.json");

function Start({ api, id }) {
  return html`<div class="page"><h1>${api.info.title}</h1>
    ${id && html`<${Notice} kind="warn">There is no operation '${id}'.<//>`}
    ${api.info.description && html`<p class="text">${api.info.description}</p>`}
    <p class="small">Choose an operation, or press <kbd class="keys">/</kbd> to search.</p></div>`;
}

function Row({ operation, chosen, query }) {
  const isChosen = operation.id === chosen;
  return html`<a href=${fragmentOf(operation.id, query)} class=${classes(isChosen && "on")} aria-current=${isChosen ? "true" : undefined}>
    <span class="line"><${Title} title=${`${operation.method} ${operation.path}`} /></span>
    <span class="line small">${operation.summary || operation.id}</span></a>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

render(html`<${App} />`, place);
