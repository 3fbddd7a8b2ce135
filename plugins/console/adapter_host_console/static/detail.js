// One operation: as its callers see it, what it calls, and a place to try it.
import { Badge, Code, html, Notice, plural, pretty, request, Title, useLoaded } from "./lib.js";
import { SchemaTree } from "./schema.js";
import { Trial } from "./trial.js";

export function Detail({ id, role }) {
  const { data, error } = useLoaded(() => request(`/api/operations/${encodeURIComponent(id)}`), id);
  if (error) return html`<div class="page"><a class="back" href="#/operations">‹ Operations</a><${Notice} kind="error">${error}<//></div>`;
  if (!data) return html`<div class="page" aria-busy="true"></div>`;
  return html`<article class="operation">
    <header>
      <a class="back" href="#/operations">‹ Operations</a>
      <h1><${Title} title=${data.title} /></h1>
      <p class="badges"><${Badge} kind=${`type-${data.type}`}>${data.type}<//><${Badge}>${data.exposer}<//>
        ${data.hints.map((hint) => html`<${Badge} kind=${hint === "destructive" ? "bad" : "good"}>${hint}<//>`)}
        ${!data.listed && html`<${Badge} title="Clients find it by a search">unlisted<//>`}
        ${data.authentication !== "none" && html`<${Badge} kind="warn">${data.authentication}<//>`}
        ${data.tokens !== null && html`<${Badge} title="What the definition costs a model, estimated">${plural(data.tokens, "token")}<//>`}
        ${data.declared.exposer !== data.exposer && html`<${Badge} title="The exposer that declares it">included from ${data.declared.exposer}<//>`}
        <code class="file">${data.file}${data.line ? `:${data.line}` : ""}</code></p>
      ${data.description && html`<p class="text">${data.description}</p>`}
    </header>
    <div class="columns">
      <div class="reference"><${Reference} operation=${data} /></div>
      ${data.ways.length > 0 && html`<div class="trial"><${Trial} operation=${data} readOnly=${role === "read-only"} /></div>`}
    </div>
  </article>`;
}

function Reference({ operation }) {
  const { input_schema: inputs, output_schema: outputs, inputs: located } = operation;
  const places = Object.fromEntries(located.map((each) => [each.name, each.in]));
  return html`
    ${inputs && html`<section><h2>Inputs</h2>
      <${SchemaTree} schema=${inputs} places=${places} /></section>`}
    <section><h2>Output</h2>${outputs ? html`<${SchemaTree} schema=${outputs} />`
      : html`<p class="small">${operation.media_type ?? "Not described: the response of the API is passed through."}</p>`}</section>
    <section><h2>Calls</h2>${operation.upstream.length === 0 && html`<p class="small">Nothing: it calls no consumed API.</p>`}
      ${operation.upstream.map((each) => html`<${Upstream} target=${each} />`)}</section>
    ${inputs && html`<section><h2>${operation.type === "mcp" ? "What the agent sees" : "JSON Schema"}</h2>
      <details><summary>${operation.type === "mcp" ? "Definition of the tool" : "Schema of the inputs"}</summary>
      <${Code} json label="Definition" text=${pretty(definition(operation))} /></details></section>`}`;
}

function definition(operation) {
  if (operation.type !== "mcp") return operation.input_schema;
  const { name, description, input_schema: inputSchema, annotations } = operation;
  return { name, description, inputSchema, ...(annotations ? { annotations } : {}) };
}

function Upstream({ target }) {
  const { operation, description, method, url, ...more } = target;
  const shown = Object.entries(more).filter(([, value]) => value !== null && value !== undefined && Object.keys(Object(value)).length + (typeof value !== "object") > 0);
  return html`<div class="upstream">
    <p><code class="key">${operation}</code>${description && html` <span class="small">${description}</span>`}</p>
    ${url && html`<p><${Title} title=${`${method ?? ""} ${url}`.trim()} /></p>`}
    ${shown.length > 0 && html`<details><summary>Request</summary><${Code} json label=${`Request of ${operation}`} text=${pretty(Object.fromEntries(shown))} /></details>`}
  </div>`;
}
