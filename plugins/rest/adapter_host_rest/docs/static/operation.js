// One operation: what it accepts and returns, and a form to try it.
import { Badge, classes, html, Title } from "./elements.js";
import { dereferenced } from "./document.js";
import { SchemaTree } from "./schema.js";
import { TryIt } from "./try_it.js";

export function Operation({ operation, document, root, access, offersTry, back }) {
  const { described } = operation;
  return html`<article class="operation">
    <header>
      <a class="back" href=${back}>‹ Operations</a>
      <h1><${Title} title=${`${operation.method} ${operation.path}`} /></h1>
      <p class="badges"><${Badge}>${operation.id}<//>${(described.tags ?? []).map((tag) => html`<${Badge}>${tag}<//>`)}</p>
      ${described.summary && html`<p><b>${described.summary}</b></p>`}
      ${described.description && html`<p class="text">${described.description}</p>`}
    </header>
    <div class=${classes("columns", !offersTry && "single")}>
      <div class="reference"><${Reference} operation=${operation} document=${document} /></div>
      ${offersTry && html`<div class="trial"><${TryIt} operation=${operation} document=${document} root=${root} access=${access} /></div>`}
    </div>
  </article>`;
}

function Reference({ operation, document }) {
  const { parameters, described } = operation;
  const body = dereferenced(described.requestBody, document);
  return html`
    ${parameters.length > 0 && html`<section><h2>Parameters</h2><${SchemaTree} schema=${parametersSchema(parameters)} root=${document}
      places=${Object.fromEntries(parameters.map((each) => [each.name, each.in]))} /></section>`}
    ${body.content && html`<section><h2>Body${body.required ? "" : " (optional)"}</h2>${body.description && html`<p class="text">${body.description}</p>`}
      <${Contents} content=${body.content} document=${document} /></section>`}
    <section><h2>Responses</h2>${Object.entries(described.responses ?? {}).sort(byStatus).map(([status, given]) => html`<${Described} key=${status}
      status=${status} response=${dereferenced(given, document)} document=${document} />`)}</section>`;
}

const byStatus = ([first], [second]) => first.toLowerCase().localeCompare(second.toLowerCase());

function parametersSchema(parameters) {
  const schemaOf = ({ description, schema, content }) => ({ ...(schema ?? Object.values(content ?? {})[0]?.schema), ...(description ? { description } : {}) });
  return {
    type: "object",
    properties: Object.fromEntries(parameters.map((each) => [each.name, schemaOf(each)])),
    required: parameters.filter((each) => each.required).map((each) => each.name),
  };
}

/** The schemas of a content by media type; media types with the same schema are together. */
function Contents({ content, document }) {
  const groups = new Map();
  for (const [type, { schema }] of Object.entries(content)) {
    const key = JSON.stringify(schema ?? null);
    groups.set(key, { schema, types: [...(groups.get(key)?.types ?? []), type] });
  }
  return [...groups.values()].map(({ schema, types }) => html`<div class="content"><p><code class="small">${types.join(", ")}</code></p>
    ${schema && html`<${SchemaTree} schema=${schema} root=${document} />`}</div>`);
}

function Described({ status, response, document }) {
  const content = Object.entries(response.content ?? {});
  const hasSchema = content.some(([, { schema }]) => schema);
  return html`<details class="response" open=${status.startsWith("2") && hasSchema}><summary><code>${status}</code> ${response.description ?? ""}</summary>
    ${content.length > 0 ? html`<${Contents} content=${response.content} document=${document} />` : html`<p class="small">No content is described.</p>`}</details>`;
}
