// The newest records of the audit log.
import { useState } from "./vendor/hooks.mjs";
import { Badge, classes, Code, html, milliseconds, Notice, plural, pretty, request, statusKind, useSettled } from "./lib.js";
import { usePolled } from "./polling.js";

const PERIOD = 2000;
const ALL = { operation: "", caller: "", decision: "", outcome: "" };

export function Audit({ host }) {
  const [filter, setFilter] = useState(ALL);
  const [open, setOpen] = useState(null);
  const query = new URLSearchParams(Object.entries(useSettled(filter, 150)).filter(([, value]) => value)).toString();
  const { data, error } = usePolled(() => request(`/api/audit?${query}`), PERIOD, query);
  const field = (name, Field) => html`<${Field} name=${name} value=${filter[name]} values=${data?.values[name] ?? []}
    onChange=${(value) => setFilter({ ...filter, [name]: value })} />`;
  return html`<div class="page wide">
    <header class="title"><h1>Audit</h1>
      ${field("operation", Text)}${field("caller", Text)}${field("decision", Select)}${field("outcome", Select)}
      <span class="small" role="status">${data && summary(data)}</span></header>
    ${host.data && !host.data.audits && html`<${Notice}>No plugin of this host writes an audit log, or its file is not set.<//>`}
    ${error && html`<${Notice} kind="error">${error}<//>`}
    ${data && html`<div class="scroll calls" tabindex="0" role="region" aria-label="Records"><table>
      <thead><tr><th scope="col">Time</th><th scope="col">Decision</th><th scope="col">Operation</th><th scope="col">Caller</th>
        <th scope="col">Outcome</th><th scope="col">Upstream</th><th scope="col" class="number">Duration</th><th scope="col">Exposer</th></tr></thead>
      <tbody>${data.rows.map((each) => html`<${Row} key=${keyOf(each)} row=${each} open=${open === keyOf(each)}
        onOpen=${() => setOpen(open === keyOf(each) ? null : keyOf(each))} />`)}</tbody>
    </table></div>
    ${data.rows.length === 0 && host.data?.audits && html`<p class="empty">${data.kept ? "No record has these values." : "No records yet."}</p>`}`}
  </div>`;
}

const keyOf = ({ record }) => `${record.time} ${record.request_id} ${record.event ?? ""} ${record.operation ?? ""}`;

function summary({ kept, complete, total, rows }) {
  const found = total === kept ? plural(kept, "record") : `${total.toLocaleString("en")} of ${plural(kept, "record")}`;
  return `${found}${total > rows.length ? `, the latest ${rows.length} shown` : ""}${complete ? "" : "; older ones are in the file"}`;
}

const label = (name) => `Filter by ${name}`;

function Text({ name, value, values, onChange }) {
  return html`<input type="search" class="filter" list=${`audit-${name}`} placeholder=${name[0].toUpperCase() + name.slice(1)}
      aria-label=${label(name)} value=${value} onInput=${(event) => onChange(event.currentTarget.value)} />
    <datalist id=${`audit-${name}`}>${values.map((each) => html`<option value=${each} />`)}</datalist>`;
}

function Select({ name, value, values, onChange }) {
  const known = value && !values.includes(value) ? [value, ...values] : values;
  return html`<select class="filter" aria-label=${label(name)} value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
    <option value="">Any ${name}</option>${known.map((each) => html`<option value=${each} selected=${each === value}>${each}</option>`)}</select>`;
}

const DECISIONS = { allowed: "good", approved: "good", refused: "bad", denied: "bad" };

function Row({ row, open, onOpen }) {
  const { record } = row;
  const time = new Date(record.time);
  const upstream = Array.isArray(record.upstream) ? record.upstream : [];
  const outcome = /^\d+$/.test(row.outcome) ? Number(row.outcome) : row.outcome;
  const failed = typeof outcome === "number" ? outcome >= 400 : true;
  return html`<tr class=${classes(open && "on")}>
      <td><button type="button" class="quiet time" aria-expanded=${open} onClick=${onOpen}>${clock(time)}</button></td>
      <td><${Badge} kind=${DECISIONS[row.decision]}>${row.decision || record.event || "–"}<//></td>
      <td>${row.operation ? html`<code>${row.operation}</code>` : html`<span class="small">${record.reason ?? "–"}</span>`}</td>
      <td>${row.caller || "–"}</td>
      <td>${row.outcome ? html`<${Badge} kind=${statusKind(outcome, failed)}>${row.outcome}<//>` : html`<span class="small">${record.event ?? "–"}</span>`}</td>
      <td>${upstream.length === 0 ? "–" : upstream.slice(0, 3).map((each) => html`<code>${each.operation}</code> ${each.outcome} `)}</td>
      <td class="number">${milliseconds(record.duration_ms)}</td><td>${record.exposer ?? record.transport ?? "–"}</td></tr>
    ${open && html`<tr class="more"><td colspan="8"><${Code} json label="Record" text=${pretty(record)} /></td></tr>`}`;
}

function clock(time) {
  if (Number.isNaN(time.getTime())) return "–";
  const text = `${time.toLocaleTimeString("en-GB")}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? text : `${time.toLocaleDateString("en-CA")} ${text}`;
}
