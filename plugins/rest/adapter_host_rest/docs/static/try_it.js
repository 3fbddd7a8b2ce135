// Try an operation: its form, the request as a command, and the response.
import { useEffect, useMemo, useRef, useState } from "./vendor/hooks.mjs";
import { placeholderParts, credentialParts } from "./credentials.js";
import { Badge, bytes, Choice, Code, html, milliseconds, Notice, prettyText, statusKind } from "./elements.js";
import { Form, Json } from "./form.js";
import { buildRequest, isForbidden } from "./request.js";
import { isText, send } from "./response.js";
import { exampleOf } from "./example.js";
import { dereferenced } from "./document.js";
import { saveFile } from "./files.js";
import { curlCommand } from "./shell.js";

const PLACES = [["path", "Path"], ["query", "Query"], ["header", "Headers"], ["cookie", "Cookies"]];

export function TryIt({ operation, document, root, access }) {
  const body = dereferenced(operation.described.requestBody, document);
  const content = body.content ?? {};
  const [values, setValues] = useState({ path: {}, query: {}, header: {}, cookie: {}, body: undefined, media: Object.keys(content)[0] ?? "" });
  const [response, setResponse] = useState(null);
  const stop = useRef(() => {});
  const results = useRef();
  useEffect(() => () => stop.current(), []);
  useEffect(() => { if (response && !response.busy) results.current.scrollIntoView({ block: "nearest" }); }, [response?.busy]);
  const encoding = content[values.media]?.encoding;
  const { credential } = access;
  const shown = useMemo(() => buildRequest(operation, { ...values, encoding }, root, credential && placeholderParts(credential)), [values, credential]);
  const blocked = shown.missing.length ? `Fill in ${shown.missing.join(", ")}.`
    : shown.unsendable.length ? `A browser cannot send ${shown.unsendable.join(", ")} here; use the command.` : "";
  const start = () => {
    if (response?.busy || blocked) return;
    const request = buildRequest(operation, { ...values, encoding }, root, credential && credentialParts(credential));
    stop.current = send(request, access.mode, setResponse);
  };
  const onKeyDown = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); start(); } };
  const set = (place) => (value) => setValues((old) => ({ ...old, [place]: value }));
  return html`<section class="try" aria-label="Try it" onKeyDown=${onKeyDown}>
    <header><h2>Try it</h2></header>
    ${PLACES.map(([place, title]) => html`<${Parameters} key=${place} title=${title} document=${document}
      parameters=${operation.parameters.filter((each) => each.in === place)} value=${values[place]} onChange=${set(place)} />`)}
    ${values.media && html`<${Body} content=${content} required=${body.required} document=${document} media=${values.media} value=${values.body}
      onChange=${set("body")} onMedia=${(media) => setValues((old) => ({ ...old, media, body: undefined }))} />`}
    <${Code} label="curl" text=${curlCommand({ ...shown, options: shown.body?.options })} />
    <div class="send">
      <button type="button" class="primary" disabled=${Boolean(response?.busy || blocked)} onClick=${start}>${response?.busy ? "Sending" : "Send"}</button>
      ${response?.busy && html`<button type="button" onClick=${() => stop.current()}>Stop</button>`}
      ${blocked ? html`<span class="small" role="status">${blocked}</span>` : html`<span class="small keys">Ctrl Enter</span>`}</div>
    <div class="results" ref=${results}>${response && html`<${Response} response=${response} name=${operation.id} />`}</div>
  </section>`;
}

/** The schema of a parameter, with its description. */
function schemaOf(parameter) {
  const schema = parameter.schema ?? Object.values(parameter.content ?? {})[0]?.schema ?? {};
  const note = isForbidden(parameter.name) && parameter.in === "header" || parameter.in === "cookie" ? "Browsers cannot set it; the command does." : "";
  const description = [parameter.description ?? schema.description, note].filter(Boolean).join(" ");
  // The elements of an array without a type are texts, as requests carry them.
  const items = schema.type === "array" && !Object.keys(schema.items ?? {}).length ? { items: { type: "string" } } : {};
  return { ...schema, ...items, ...(description ? { description } : {}) };
}

function Parameters({ title, parameters, document, value, onChange }) {
  if (!parameters.length) return null;
  const schema = {
    type: "object",
    properties: Object.fromEntries(parameters.map((each) => [each.name, schemaOf(each)])),
    required: parameters.filter((each) => each.required).map((each) => each.name),
  };
  return html`<section class="place" aria-label=${title}><h3>${title}</h3>
    <${Form} schema=${schema} root=${document} value=${value} onChange=${onChange} /></section>`;
}

/** The body in one of its media types, as a form or as JSON. */
function Body({ content, required, document, media, value, onChange, onMedia }) {
  const [mode, setMode] = useState("form");
  const schema = dereferenced(content[media].schema, document);
  const types = Object.keys(content);
  const isJson = /json/i.test(media);
  const isObject = Boolean(schema.properties);
  const fields = isObject ? schema : { properties: { body: content[media].schema ?? {} }, required: required ? ["body"] : [] };
  return html`<section class="place" aria-label="Body"><header><h3>Body</h3>
      ${types.length > 1 ? html`<select aria-label="Media type" value=${media} onChange=${(event) => onMedia(event.currentTarget.value)}>
        ${types.map((each) => html`<option value=${each}>${each}</option>`)}</select>` : html`<code class="small">${media}</code>`}
      ${isJson && html`<${Choice} label="Body as" name="body-mode" value=${mode} onChange=${setMode} options=${[["form", "Form"], ["json", "JSON"]]} />
        <button type="button" class="quiet" onClick=${() => onChange(exampleOf(schema, document))}>Insert an example</button>`}</header>
    ${isJson && mode === "json" ? html`<${Json} id="body" label="Body as JSON" rows=${12} value=${value} onChange=${onChange} />`
      : html`<${Form} key=${media} schema=${fields} root=${document} value=${isObject ? value : { body: value }} keepsFiles=${!isJson}
        onChange=${(next) => onChange(isObject ? next : next.body)} />`}</section>`;
}

function Response({ response, name }) {
  const { busy, status, reason, error, size, duration, type, headers, text, items, skipped, isStream, truncated } = response;
  if (status === null) return busy ? html`<p class="small" role="status">Waiting for the response…</p>` : html`<${Notice} kind="error">${error}<//>`;
  return html`<h3>Response</h3>
    <div role="status"><p class="badges"><${Badge} kind=${statusKind(status)}>${status} ${reason}<//>
      <span>${milliseconds(duration)}</span><span>${bytes(size)}</span><code class="small">${type}</code></p></div>
    ${error && html`<${Notice} kind="warn">${error}<//>`}
    ${isStream && html`<${Items} items=${items} skipped=${skipped} busy=${busy} />`}
    ${text && html`<${Code} json=${/json/.test(type)} label="Response body" text=${busy || !/json/.test(type) ? text : prettyText(text)} />`}
    ${truncated && html`<p class="small">Only the beginning is shown.</p>`}
    ${!isText(type) && size > 0 && html`<p class="small">${bytes(size)} of binary data</p>`}
    ${!busy && size > 0 && html`<button type="button" onClick=${() => download(response, name)}>Download</button>`}
    <details><summary>Headers</summary><${Code} label="Headers" text=${headers.map((pair) => pair.join(": ")).join("\n")} /></details>`;
}

function Items({ items, skipped, busy }) {
  return html`<ol class="stream" aria-label="Items" aria-busy=${busy} tabindex="0" start=${skipped + 1}>
    ${items.map((each, index) => html`<li key=${skipped + index}><pre>${each}</pre></li>`)}</ol>`;
}

/** Save the body of a response as a file, with its name if it has one. */
function download({ chunks, type, headers }, name) {
  const disposition = headers.find(([key]) => key === "content-disposition")?.[1] ?? "";
  saveFile(chunks, type, /filename="?([^";]+)/.exec(disposition)?.[1] ?? name);
}
