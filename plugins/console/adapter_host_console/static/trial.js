// Try an operation: arguments, the request before it is sent, the response, and how to do the same elsewhere.
import { useEffect, useMemo, useRef, useState } from "./vendor/hooks.mjs";
import { Form, Json } from "./form.js";
import { Badge, bytes, Choice, Code, html, milliseconds, Notice, pretty, prettyText, request, statusKind, Tabs, useLoaded, useSettled } from "./lib.js";
import { command, curl, mcpCall, python } from "./snippets.js";
import { Waterfall } from "./waterfall.js";

export function Trial({ operation, readOnly }) {
  const [args, setArgs] = useState(operation.example);
  const [mode, setMode] = useState("form");
  const [way, setWay] = useState(operation.ways[0]);
  const [header, setHeader] = useState({ name: "Authorization", value: "" });
  const [tab, setTab] = useState("response");
  const [state, setState] = useState({ busy: false, response: null, error: null });
  const results = useRef();
  useEffect(() => { if (state.response || state.error) results.current.scrollIntoView({ block: "nearest" }); }, [state]);
  const path = `/api/operations/${operation.id}`;
  const settled = useSettled(args, 250);
  const key = useMemo(() => JSON.stringify(settled), [settled]);
  const preview = useLoaded(() => request(`${path}/preview`, { arguments: settled }), key);
  const send = async () => {
    if (state.busy || readOnly) return;
    setState({ busy: true, response: null, error: null });
    setTab("response");
    try {
      const headers = way === "client" && header.value ? { [header.name]: header.value } : {};
      setState({ busy: false, error: null, response: await request(`${path}/call`, { arguments: args, way, headers }) });
    } catch (error) {
      setState({ busy: false, response: null, error: error.message });
    }
  };
  const onKeyDown = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send(); } };
  const needsHeader = way === "client" && operation.authentication !== "none";
  return html`<section class="try" aria-label="Try it" onKeyDown=${onKeyDown}>
    <header><h2>Try it</h2>
      <${Choice} label="Arguments as" name="mode" value=${mode} onChange=${setMode} options=${[["form", "Form"], ["json", "JSON"]]} /></header>
    ${mode === "form" ? html`<${Form} schema=${operation.form_schema} value=${args} onChange=${setArgs} />`
      : html`<${Json} id="arguments" label="Arguments as JSON" rows=${12} value=${args} onChange=${(value) => setArgs(value ?? {})} />`}
    ${!readOnly && needsHeader && html`<fieldset class="credentials"><legend>Credentials (${operation.authentication}); used once, not kept</legend>
      <input aria-label="Header" value=${header.name} onInput=${(event) => setHeader({ ...header, name: event.currentTarget.value })} />
      <input type="password" aria-label="Value" autocomplete="off" placeholder="Bearer ..." value=${header.value}
        onInput=${(event) => setHeader({ ...header, value: event.currentTarget.value })} /></fieldset>`}
    ${readOnly ? html`<p class="hint send">This session is read-only: it shows the request, and cannot send it.</p>` : html`<div class="send"><${Choice} label="Call by" name="way" value=${way} onChange=${setWay}
        options=${operation.ways.map((each) => [each, each === "client" ? operation.type.toUpperCase() : "Direct"])} />
      <button type="button" class="primary" disabled=${state.busy} onClick=${send}>${state.busy ? "Sending" : "Send"}</button>
      <span class="small keys">Ctrl Enter</span></div>`}
    <div class="results" ref=${results}><${Tabs} label="Request and response" value=${tab} onChange=${setTab} tabs=${[
      ...(readOnly ? [] : [["response", "Response", () => html`<${Response} state=${state} type=${operation.type} />`]]),
      ["upstream", "Upstream", () => html`<${Preview} preview=${preview} />`],
      ...snippets(operation, preview.data?.request, args),
    ]} /></div>
  </section>`;
}

function snippets(operation, sent, args) {
  const tabs = [];
  if (sent) {
    tabs.push(["curl", "curl", () => html`<${Code} label="curl" text=${curl(sent, operation.authentication)} />`]);
    if (operation.type === "mcp") tabs.push(["mcp", "MCP call", () => html`<${Code} json label="MCP call" text=${mcpCall(sent)} />`]);
    tabs.push(["python", "Python", () => html`<${Code} label="Python" text=${python(operation, sent, args)} />`]);
  }
  return [...tabs, ["command", "Command", () => html`<${Code} label="Command" text=${command(operation, args)} />`]];
}

function Preview({ preview }) {
  if (preview.error) return html`<${Notice} kind="error">${preview.error}<//>`;
  if (!preview.data) return html`<p class="small" aria-busy="true">…</p>`;
  if (preview.data.error) return html`<${Notice} kind="warn">${preview.data.error}<//>`;
  return html`<p class="small">As it would be sent now; secrets are masked.</p>
    <${Code} json label="Upstream request" text=${pretty(preview.data.upstream)} />`;
}

/** Return whether the response of an MCP server has an error in its body. */
function isToolError(type, text) {
  if (type !== "mcp" || text === undefined) return false;
  const message = JSON.parse(text);
  return message.error !== undefined || message.result?.isError === true;
}

function Response({ state, type }) {
  const { busy, response, error } = state;
  if (busy) return html`<p class="small" role="status">Waiting for the response…</p>`;
  if (error) return html`<${Notice} kind="error">${error}<//>`;
  if (!response) return html`<p class="small">Nothing was sent yet.</p>`;
  const text = response.json !== undefined ? prettyText(response.json) : response.text;
  return html`<div role="status">
    <p class="badges"><${Badge} kind=${statusKind(response.status)}>${response.status ?? "no response"}<//>
      ${isToolError(type, response.json) && html`<${Badge} kind="bad">tool error<//>`}
      <span>${milliseconds(response.duration_ms)}</span><span>${bytes(response.bytes)}</span>
      <code class="small">${response.media_type}</code></p></div>
    ${response.error && html`<${Notice} kind="error">${response.error}<//>`}
    ${text && html`<${Code} json=${response.json !== undefined} label="Response body" text=${text} />`}
    ${response.base64 && html`<p class="small">${bytes(response.bytes)} of binary data</p>`}
    ${response.truncated && html`<p class="small">Only the beginning is shown.</p>`}
    ${response.trace.length > 0 && html`<h3>Steps</h3><${Waterfall} spans=${response.trace} />`}
    ${response.headers && html`<details><summary>Headers</summary><${Code} json label="Headers" text=${pretty(response.headers)} /></details>`}
    <p class="small">Request <code>${response.request_id}</code></p>`;
}
