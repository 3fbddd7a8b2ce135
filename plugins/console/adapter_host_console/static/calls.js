// Calls as they happen, with rates, durations and errors.
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import { Charts } from "./health.js";
import { Badge, bytes, classes, html, milliseconds, Notice, plural, request, statusKind, useLoaded } from "./lib.js";
import { Waterfall } from "./waterfall.js";

const SHOWN = 200;
const PERIOD = 1000;

export function Calls() {
  const [paused, setPaused] = useState(false);
  const [filter, setFilter] = useState("");
  const [failedOnly, setFailedOnly] = useState(false);
  const [open, setOpen] = useState(null);
  const { records, summary, error } = useCalls(paused);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (each) => (!failedOnly || each.failed) && words.every((word) => searchText(each).includes(word));
  const found = records.filter(matches);
  return html`<div class="page wide">
    <header class="title"><h1>Calls</h1>
      <input type="search" placeholder="Filter" aria-label="Filter calls" value=${filter} onInput=${(event) => setFilter(event.currentTarget.value)} />
      <label class="check"><input type="checkbox" checked=${failedOnly} onChange=${(event) => setFailedOnly(event.currentTarget.checked)} />failed only</label>
      <button type="button" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>${paused ? "Resume" : "Pause"}</button>
      <span class="small">${plural(found.length, "call")}${found.length > SHOWN ? `, the latest ${SHOWN} shown` : ""}</span></header>
    ${error && html`<${Notice} kind="error">${error}<//>`}
    ${summary && html`<${Charts} summary=${summary} />`}
    <div class="scroll calls" tabindex="0" role="region" aria-label="Calls"><table>
      <thead><tr><th scope="col">Time</th><th scope="col">Status</th><th scope="col">Request</th><th scope="col">Operation</th>
        <th scope="col" class="number">Duration</th><th scope="col">Upstream</th><th scope="col" class="number">Size</th><th scope="col">Client</th></tr></thead>
      <tbody>${found.slice(0, SHOWN).map((each) => html`<${Call} key=${each.number} call=${each} open=${open === each.number}
        onOpen=${() => setOpen(open === each.number ? null : each.number)} />`)}</tbody>
    </table></div>
    ${summary && records.length === 0 && html`<p class="empty">No calls yet. Calls appear here as they end.</p>`}
  </div>`;
}

/** Ask for new records each second, while the page is visible. */
function useCalls(paused) {
  const [state, setState] = useState({ records: [], summary: null, error: null });
  const last = useRef(0);
  useEffect(() => {
    if (paused) return undefined;
    let timer, ended = false;
    const load = async () => {
      if (!document.hidden) {
        try {
          const data = await request(`/api/calls?after=${last.current}`);
          if (ended) return;
          last.current = data.last;
          setState((old) => ({ records: [...data.records.reverse(), ...old.records].slice(0, data.kept), summary: data, error: null }));
        } catch (error) {
          if (!ended) setState((old) => ({ ...old, error: error.message }));
        }
      }
      if (!ended) timer = setTimeout(load, PERIOD);
    };
    load();
    return () => { ended = true; clearTimeout(timer); };
  }, [paused]);
  return state;
}

const searchText = (call) => Object.values(call).filter((each) => typeof each === "string" || typeof each === "number").join(" ").toLowerCase();

function Call({ call, open, onOpen }) {
  const time = new Date(call.time * 1000);
  const what = `${call.method ?? call.transport} ${call.path ?? ""} ${call.message ?? ""}`;
  return html`<tr class=${classes(open && "on", call.failed && "failed")}>
      <td><button type="button" class="quiet time" aria-expanded=${open} onClick=${onOpen}>${time.toLocaleTimeString("en-GB")}.${String(time.getMilliseconds()).padStart(3, "0")}</button></td>
      <td><${Badge} kind=${statusKind(call.status, call.failed)}>${call.status}<//></td>
      <td><code>${what}</code></td><td>${call.operation ?? html`<span class="small">–</span>`}${call.error && html` <span class="bad">${call.error}</span>`}</td>
      <td class="number">${milliseconds(call.duration_ms)}</td>
      <td>${call.upstream_status ?? "–"}${call.upstream_ms === null ? "" : html` <span class="small">${milliseconds(call.upstream_ms)}</span>`}</td>
      <td class="number">${bytes(call.bytes)}</td><td>${call.client ?? "–"}</td></tr>
    ${open && html`<tr class="more"><td colspan="8"><${Trace} call=${call} /></td></tr>`}`;
}

function Trace({ call }) {
  const { data, error } = useLoaded(() => request(`/api/calls/${encodeURIComponent(call.request_id)}`), call.request_id);
  const facts = { exposer: call.exposer, capability: call.capability, authentication: call.authentication, request: call.request_id };
  return html`<p class="small facts-line">${Object.entries(facts).filter(([, value]) => value).map(([name, value]) => html`<span>${name} <code>${value}</code></span>`)}</p>
    ${error && html`<${Notice} kind="error">${error}<//>`}
    ${data && (data.spans.length ? html`<${Waterfall} spans=${data.spans} />` : html`<p class="small">No operation was called, or its trace is gone.</p>`)}`;
}
