// The health of the host and of the APIs that it consumes.
import { Badge, html, milliseconds, Notice, plural, request } from "./lib.js";
import { Plot } from "./plot.js";
import { usePolled } from "./polling.js";

const PERIOD = 2000;

export function Health() {
  const { data, error } = usePolled(() => request("/api/health"), PERIOD);
  return html`<div class="page wide">
    <header class="title"><h1>Health</h1><span class="small">plots of the last five minutes</span></header>
    ${error && html`<${Notice} kind="error">${error}<//>`}
    ${data && html`<div tabindex="0" role="region" aria-label="Plots"><${Charts} summary=${data} />
      ${data.apis.map((each) => html`<${Api} api=${each} seconds=${data.bucket_seconds} key=${`${each.capability} ${each.namespace}`} />`)}
      ${data.apis.length === 0 && html`<p class="empty">Nothing is consumed.</p>`}</div>`}
  </div>`;
}

/** The rate, the durations and the errors of all calls. */
export function Charts({ summary }) {
  const { buckets, bucket_seconds: seconds, operations } = summary;
  const times = buckets.map((each) => each.time);
  const failing = operations.filter((each) => each.errors).slice(0, 6);
  return html`<div class="charts">
    <${Plot} title="Calls per second" times=${times} lines=${[
      ["all", "good", buckets.map((each) => each.calls / seconds)],
      ["failed", "bad", buckets.map((each) => each.errors / seconds)],
    ]} format=${rate} />
    <${Durations} title="Duration" times=${times} buckets=${buckets} />
    <section class="chart"><h2>Errors by operation <span class="small">since the start</span></h2>${failing.length === 0 ? html`<p class="small">None.</p>` : html`<table>
      <thead class="hidden"><tr><th scope="col">Operation</th><th scope="col">Errors</th><th scope="col">p95</th></tr></thead>
      <tbody>${failing.map((each) => html`<tr><th scope="row"><code>${each.exposer}.${each.operation}</code></th>
        <td class="number">${each.errors} of ${each.calls}</td><td class="number">${milliseconds(each.p95_ms)}</td></tr>`)}</tbody></table>`}</section>
  </div>`;
}

const rate = (value) => (value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(1));

function Durations({ title, times, buckets }) {
  return html`<${Plot} title=${title} times=${times} lines=${[
    ["p50", "good", buckets.map((each) => each.p50_ms)],
    ["p95", "warn", buckets.map((each) => each.p95_ms)],
    ["p99", "bad", buckets.map((each) => each.p99_ms)],
  ]} format=${milliseconds} unit=" ms" />`;
}

function Api({ api, seconds }) {
  const { buckets } = api;
  const times = buckets.map((each) => each.time);
  const sum = (name) => buckets.reduce((total, each) => total + each[name], 0);
  const line = (name) => buckets.map((each) => each[name] / seconds);
  return html`<section class="block" aria-label=${`Health of ${api.namespace}`}>
    <header><h2>${api.namespace}</h2><${Badge}>${api.type}<//>
      ${api.states.map((each) => html`<${Badge} kind=${each.healthy ? "good" : "bad"}>${each.name}: ${each.text}<//>`)}
      <span class="small">${buckets.length === 0 ? "no requests yet" : html`${plural(sum("calls"), "request")}, ${sum("errors")} failed,
        ${" "}${sum("rejected")} rejected`}</span>
      <span class="small file">${api.capability}</span></header>
    ${buckets.length > 0 && html`<div class="charts two">
      <${Plot} title="Requests per second" times=${times} lines=${[
        ["all", "good", line("calls")],
        ["failed", "bad", line("errors")],
        ["rejected", "warn", line("rejected")],
        ["cancelled", "soft", line("cancelled")],
      ]} format=${rate} />
      <${Durations} title="Time to the response" times=${times} buckets=${buckets} />
    </div>`}
  </section>`;
}
