// Calls that wait for the decision of a person.
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import { Badge, html, Notice, plural, request } from "./lib.js";

const keyOf = (each) => `${each.service} ${each.id}`;

export function Approvals({ waiting, host }) {
  const cards = useCards(waiting.data);
  const { data, error } = waiting;
  const isReadOnly = host.data?.role === "read-only";
  return html`<div class="page">
    <header class="title"><h1>Approvals</h1>
      <span class="small" role="status">${data && `${plural(data.total, "call")} ${data.total === 1 ? "waits" : "wait"}`}</span></header>
    <p class="text">Nothing of these calls was sent. An approved call is made once, when its caller repeats it.</p>
    ${host.data && !host.data.decides && html`<${Notice}>No plugin of this host lets calls wait for a person.<//>`}
    ${isReadOnly && html`<${Notice}>This session is read-only: it shows the calls, and cannot decide.<//>`}
    ${error && html`<${Notice} kind="error">${error}<//>`}
    ${data && host.data?.decides && cards.length === 0 && html`<p class="empty">No call waits. Calls appear here as they ask.</p>`}
    ${cards.map((each) => html`<${Card} key=${keyOf(each)} call=${each} readOnly=${isReadOnly} onDecided=${waiting.again} />`)}
    ${data && data.total > data.decisions.length && html`<p class="small">The first ${data.decisions.length} of ${data.total}; further ones follow.</p>`}
  </div>`;
}

/** Return the calls that wait, with those that did while the page is open: nothing moves below the pointer. */
function useCards(data) {
  const [cards, setCards] = useState([]);
  useEffect(() => {
    if (!data) return;
    setCards((old) => {
      const now = new Map(data.decisions.map((each) => [keyOf(each), each]));
      const kept = old.map((each) => now.get(keyOf(each)) ?? { ...each, gone: true });
      const known = new Set(old.map(keyOf));
      return [...kept, ...data.decisions.filter((each) => !known.has(keyOf(each)))].slice(-200);
    });
  }, [data]);
  return cards;
}

function Card({ call, readOnly, onDecided }) {
  const [state, setState] = useState({ busy: false, decided: null, error: null });
  const card = useRef();
  const decide = async (decision) => {
    setState({ busy: true, decided: null, error: null });
    try {
      const { decided } = await request("/api/decisions", { service: call.service, id: call.id, decision });
      setState({ busy: false, decided, error: null });
      card.current?.focus();
    } catch (error) {
      setState({ busy: false, decided: null, error: error.message });
    }
    onDecided();
  };
  const isOpen = !call.gone && !state.decided;
  return html`<article class="block decision" tabindex="-1" ref=${card} aria-label=${`${call.operation} by ${call.caller}`}>
    <header><h2 class="name">${call.operation}</h2><${Badge}>${call.exposer}<//>
      <span class="small">${call.capability}</span>
      ${isOpen && html`<span class="small file">waits for ${span(call.waits)}, expires in ${span(call.expires_in)}</span>`}</header>
    <dl class="pairs">
      <dt>Caller</dt><dd>${call.caller}</dd>
      <dt>Sends</dt><dd>${call.requests.length === 0 ? "no request" : call.requests.map((each) => html`<code>${each}</code>`)}</dd>
      <dt>Arguments</dt><dd>${call.arguments === null ? html`<span class="small">only shown to those who may decide</span>`
        : html`<pre tabindex="0" aria-label="Arguments">${call.arguments}</pre>`}</dd>
    </dl>
    ${state.error && html`<${Notice} kind="error">${state.error}<//>`}
    ${state.decided === "approved" && html`<${Notice} kind="good">Approved. The call is made when its caller repeats it.<//>`}
    ${state.decided === "denied" && html`<${Notice}>Denied. A repeated call is refused.<//>`}
    ${call.gone && !state.decided && html`<${Notice}>This call no longer waits: it was decided elsewhere, or has expired.<//>`}
    ${isOpen && !readOnly && (call.may_decide ? html`<p class="buttons">
      <button type="button" class="primary" disabled=${state.busy} onClick=${() => decide("approve")}>Approve</button>
      <button type="button" class="danger" disabled=${state.busy} onClick=${() => decide("deny")}>Deny</button></p>`
      : html`<${Elsewhere} call=${call} />`)}
  </article>`;
}

function Elsewhere({ call }) {
  const names = new Intl.ListFormat("en", { type: "disjunction" }).format(call.approvers);
  const isLink = call.url !== null && /^https?:/.test(call.url);
  return html`<p class="small">${names ? html`Only <b>${names}</b> may decide` : "You may not decide"}${isLink
    && html`, on <a href=${call.url} target="_blank" rel="noreferrer">the approval page</a>`}.</p>`;
}

function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
