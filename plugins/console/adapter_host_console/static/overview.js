// The overview: capabilities, their exposers and the APIs that they consume.
import { Badge, CopyButton, html, Notice, plural } from "./lib.js";

export function Overview({ host }) {
  if (host.error) return html`<div class="page"><${Notice} kind="error">${host.error}<//></div>`;
  if (!host.data) return html`<div class="page" aria-busy="true"></div>`;
  const { capabilities, version, generation, started, warnings } = host.data;
  const exposers = capabilities.flatMap((each) => each.exposers);
  const facts = [
    [capabilities.length.toLocaleString("en"), capabilities.length === 1 ? "capability" : "capabilities"],
    [exposers.length.toLocaleString("en"), exposers.length === 1 ? "exposer" : "exposers"],
    [exposers.reduce((sum, each) => sum + each.operations, 0).toLocaleString("en"), "operations"],
    [warnings.toLocaleString("en"), warnings === 1 ? "warning" : "warnings", warnings ? "#/problems" : null],
  ];
  return html`<div class="page">
    <h1 class="hidden">Overview</h1>
    <dl class="facts">
      ${facts.map(([number, text, link]) => html`<div><dt>${text}</dt>
        <dd>${link ? html`<a href=${link}>${number}</a>` : number}</dd></div>`)}
      <div class="meta"><dt>host</dt><dd>version ${version} · generation ${generation} · since ${since(started)}</dd></div>
    </dl>
    ${capabilities.map((each) => html`<${Capability} capability=${each} />`)}
  </div>`;
}

const since = (started) => (started ? new Date(started).toLocaleTimeString() : "–");

function Capability({ capability }) {
  const missing = capability.secrets.filter((each) => !each.set);
  return html`<section class="block">
    <header><h2>${capability.label}</h2>
      ${capability.version && html`<${Badge}>${capability.version}<//>`}
      <code class="file">${capability.file}</code></header>
    ${capability.description && html`<p class="text">${capability.description}</p>`}
    <div class="scroll" tabindex="0" role="region" aria-label=${`Exposers of ${capability.label}`}><table>
      <thead><tr><th scope="col">Exposer</th><th scope="col">Type</th><th scope="col">URL</th>
        <th scope="col">Authentication</th><th scope="col" class="number">Operations</th></tr></thead>
      <tbody>${capability.exposers.map((each) => html`<tr>
        <td><a href=${`#/operations?exposer=${encodeURIComponent(each.namespace)}`}
          onClick=${(event) => open(event, each.namespace)}>${each.namespace}</a>
          ${!each.serving && html` <${Badge} kind="bad">not serving<//>`}</td>
        <td><${Badge} kind=${`type-${each.type}`}>${each.type}<//></td>
        <td>${each.url ? html`<code>${each.url}</code><${CopyButton} text=${each.url} />` : "standard input and output"}</td>
        <td>${each.authentication}</td>
        <td class="number">${each.operations.toLocaleString("en")}</td></tr>`)}</tbody>
    </table></div>
    <p class="small">Consumes ${capability.consumes.length === 0 ? "nothing" : capability.consumes.map((each, index) =>
      html`${index ? ", " : ""}<strong>${each.namespace}</strong> (${each.type}, ${plural(each.operations, "operation")})`)}${" · "}
      ${capability.secrets.length === 0 ? "no secrets" : html`secrets: ${capability.secrets.map((each, index) =>
        html`${index ? ", " : ""}<code>${each.name}</code>${each.set ? "" : " (not set)"}`)}`}</p>
    ${missing.length > 0 && html`<${Notice} kind="warn">${plural(missing.length, "secret")} not set<//>`}
  </section>`;
}

function open(event, namespace) {
  event.preventDefault();
  sessionStorage.setItem("exposer", namespace);
  location.hash = "#/operations";
}
