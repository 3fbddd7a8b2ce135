// What pages share: rendering, and small elements.
import { h } from "./vendor/preact.mjs";
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import htm from "./vendor/htm.mjs";

export const html = htm.bind(h);

/** Load data when `key` changes; return it with the error, and a function that loads it again. */
export function useLoaded(load, key) {
  const [state, setState] = useState({ data: null, error: null, key: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true;
    load().then(
      (data) => current && setState({ data, error: null, key }),
      (error) => current && setState({ data: null, error: error.message, key }),
    );
    return () => { current = false; };
  }, [key, turn]);
  const isCurrent = state.key === key;
  return { data: isCurrent ? state.data : null, error: isCurrent ? state.error : null, again: () => setTurn(turn + 1) };
}

/** Return a value that follows another one after a pause. */
export function useSettled(value, milliseconds) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

export const classes = (...names) => names.filter(Boolean).join(" ");

export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 10000) return `${(value / 1000).toFixed(1)} s`;
  return value >= 100 ? `${Math.round(value)} ms` : `${value.toFixed(1)} ms`;
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  return value < 1024 ? `${value} B` : value < 1048576 ? `${(value / 1024).toFixed(1)} KiB` : `${(value / 1048576).toFixed(1)} MiB`;
}

export const Badge = ({ kind, children, title }) => html`<span class=${`badge ${kind ?? ""}`} title=${title}>${children}</span>`;

export const Notice = ({ kind = "info", children }) =>
  html`<p class=${`notice ${kind}`} role=${kind === "error" ? "alert" : "status"}>${children}</p>`;

/** The class of a status: of HTTP, or a word. */
export function statusKind(status, failed) {
  if (failed ?? (status >= 400 || status === null)) return "bad";
  return status >= 300 ? "warn" : "good";
}

export function CopyButton({ text, label = "Copy" }) {
  const [copied, setCopied] = useState(false);
  const timer = useRef();
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    timer.current = setTimeout(() => setCopied(false), 1500);
  };
  return html`<button type="button" class="quiet copy" onClick=${copy} aria-live="polite">${copied ? "Copied" : label}</button>`;
}

const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const HIGHLIGHTED = 200000;

/** Return JSON text as elements with colours; a long text stays plain. */
function highlighted(text) {
  if (text.length > HIGHLIGHTED) return text;
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    parts.push(text.slice(end, match.index));
    const kind = match[2] ? "key" : match[1] ? "string" : match[3] ? "word" : "number";
    parts.push(html`<span class=${`json-${kind}`}>${match[1] ?? match[0]}</span>`, match[2] ?? "");
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}

/** A block of text that can be copied; `json` is highlighted. */
export function Code({ text, json = false, label }) {
  return html`<div class="code">
    <${CopyButton} text=${text} label="Copy" />
    <pre tabindex="0" aria-label=${label}>${json ? highlighted(text) : text}</pre>
  </div>`;
}

/** Return JSON text with indents; numbers keep their digits where the browser can. */
export function pretty(value) {
  return JSON.stringify(value, null, 2);
}

export function prettyText(text) {
  try {
    const parsed = JSON.parse(text);
    // Large integers would lose digits, so their text stays as it was sent.
    return /\d{16}/.test(text) ? text : pretty(parsed);
  } catch {
    return text;
  }
}

/** A choice among a few values, as radio buttons that look like one control. */
export function Choice({ label, name, value, options, onChange }) {
  return html`<fieldset class="choice"><legend class="hidden">${label}</legend>
    ${options.map(([key, text]) => html`<label class=${classes(key === value && "on")}>
      <input type="radio" name=${name} checked=${key === value} onChange=${() => onChange(key)} />${text}</label>`)}
  </fieldset>`;
}

/** Tabs with panels: `tabs` are keys, texts and functions of the content. */
export function Tabs({ label, tabs, value, onChange }) {
  const shown = tabs.find(([key]) => key === value) ?? tabs[0];
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(shown) + step + tabs.length) % tabs.length];
    onChange(next[0]);
    event.currentTarget.querySelector(`[data-key="${next[0]}"]`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${move}>
      ${tabs.map(([key, text]) => html`<button type="button" role="tab" data-key=${key} id=${`tab-${key}`}
        aria-selected=${key === shown[0]} aria-controls=${`panel-${key}`} tabindex=${key === shown[0] ? 0 : -1}
        onClick=${() => onChange(key)}>${text}</button>`)}
    </div>
    <div role="tabpanel" id=${`panel-${shown[0]}`} aria-labelledby=${`tab-${shown[0]}`}>${shown[2]()}</div>`;
}

const METHOD = /^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (.*)$/;

/** A title in the words of a protocol; the method of an HTTP request is coloured. */
export function Title({ title }) {
  const match = METHOD.exec(title);
  return match
    ? html`<span class="name"><b class=${`method ${match[1].toLowerCase()}`}>${match[1]}</b> ${match[2]}</span>`
    : html`<span class="name">${title}</span>`;
}
