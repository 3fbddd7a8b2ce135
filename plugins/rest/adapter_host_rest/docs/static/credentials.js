// The credentials of the exposer. They are in the memory of the page only, and are sent in requests to the exposer only.
// A scheme is that of the OpenAPI document, in short: `apiKey`, `basic` or `bearer`.
import { useState } from "./vendor/hooks.mjs";
import { html, Notice } from "./elements.js";

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** Return the headers and query parameters by which a request carries a credential. */
export function credentialParts({ scheme, username, secret }) {
  if (scheme.type === "apiKey") {
    return scheme.in === "query" ? { headers: {}, query: [[scheme.name, secret]] } : { headers: { [scheme.name]: secret }, query: [] };
  }
  const value = scheme.type === "basic" ? `Basic ${base64(`${username}:${secret}`)}` : `Bearer ${secret}`;
  return { headers: { Authorization: value }, query: [] };
}

/** Return the same parts with placeholders, for commands. */
export function placeholderParts({ scheme }) {
  if (scheme.type !== "apiKey") return { headers: { Authorization: scheme.type === "basic" ? "Basic ..." : "Bearer ..." }, query: [] };
  return scheme.in === "query" ? { headers: {}, query: [[scheme.name, "..."]] } : { headers: { [scheme.name]: "..." }, query: [] };
}

const LABELS = { basic: "Password", bearer: "Token", apiKey: "API key" };

/** The form that asks for a credential. */
export function CredentialForm({ scheme, failed, onSubmit }) {
  const [username, setUsername] = useState("");
  const [secret, setSecret] = useState("");
  const submit = (event) => { event.preventDefault(); onSubmit({ scheme, username, secret }); };
  return html`<div class="plain"><main class="card"><h1>This API requires credentials</h1>
    ${failed && html`<${Notice} kind="error">The credentials were not accepted.<//>`}
    <form class="form" onSubmit=${submit} autocomplete="off">
      ${scheme.type === "basic" && html`<div class="field"><label for="username">User name</label>
        <input id="username" autocomplete="off" required value=${username} onInput=${(event) => setUsername(event.currentTarget.value)} /></div>`}
      <div class="field"><label for="secret">${LABELS[scheme.type]}${scheme.type === "apiKey" ? html` <code>${scheme.name}</code>` : ""}</label>
        <input id="secret" type="password" autocomplete="off" required value=${secret} onInput=${(event) => setSecret(event.currentTarget.value)} /></div>
      <p class="hint">They stay in the memory of this page until you close or reload it.</p>
      <button class="primary">Continue</button>
    </form></main></div>`;
}
