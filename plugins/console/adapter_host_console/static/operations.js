// The list of operations with its search, and the operation that is chosen.
import { useEffect, useLayoutEffect, useRef, useState } from "./vendor/hooks.mjs";
import { Detail } from "./detail.js";
import { Badge, classes, html, plural, request, useSettled } from "./lib.js";

const PAGE = 100;
const ROW = 54;
const SPARE = 6;

export function Operations({ path, host }) {
  const chosen = path[0] ?? "";
  return html`<div class=${classes("split", chosen && "chosen")}>
    <${List} chosen=${chosen} host=${host} />
    <section class="detail" aria-label="Operation">
      ${chosen ? html`<${Detail} id=${chosen} key=${chosen} role=${host.data?.role} />` : html`<h1 class="hidden">Operations</h1><p class="empty">Choose an operation.</p>`}
    </section>
  </div>`;
}

function List({ chosen, host }) {
  const [query, setQuery] = useState(sessionStorage.getItem("query") ?? "");
  const [exposer, setExposer] = useState(sessionStorage.getItem("exposer") ?? "");
  const settled = useSettled(query, 80);
  const rows = useRows(settled, exposer);
  const box = useRef();
  const input = useRef();
  const [view, setView] = useState({ top: 0, height: 600 });
  useEffect(() => { sessionStorage.setItem("query", settled); sessionStorage.setItem("exposer", exposer); }, [settled, exposer]);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setView({ top: box.current.scrollTop, height: box.current.clientHeight }));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => { box.current.scrollTop = 0; setView((old) => ({ ...old, top: 0 })); }, [settled, exposer]);
  useEffect(() => onKey("/", () => input.current.focus()), []);
  const first = Math.max(0, Math.floor(view.top / ROW) - SPARE);
  const last = Math.min(rows.total, Math.ceil((view.top + view.height) / ROW) + SPARE);
  useEffect(() => rows.want(first, last), [first, last, settled, exposer]);
  const follow = (event) => { setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight }); };
  const exposers = (host.data?.capabilities ?? []).flatMap((each) => each.exposers).map((each) => each.namespace);
  const numbers = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
  return html`<section class="list" aria-label="Operations">
    <form class="search" role="search" onSubmit=${(event) => { event.preventDefault(); focusRow(box.current, 1); }}>
      <input ref=${input} type="search" placeholder="Search operations" aria-label="Search operations" value=${query}
        onInput=${(event) => setQuery(event.currentTarget.value)} onKeyDown=${(event) => arrows(event, box.current)} />
      <select aria-label="Exposer" value=${exposer} onChange=${(event) => setExposer(event.currentTarget.value)}>
        <option value="">all exposers</option>
        ${[...new Set([...exposers, ...(exposer ? [exposer] : [])])].map((each) => html`<option value=${each}>${each}</option>`)}
      </select>
      <span class="small" role="status">${rows.error ?? plural(rows.total, "operation")}</span>
    </form>
    <div class="rows" ref=${box} onScroll=${follow} onKeyDown=${(event) => arrows(event, box.current)}>
      <ul style=${{ height: `${rows.total * ROW}px` }}>${numbers.map((number) => html`<${Row} key=${number}
        number=${number} row=${rows.at(number)} total=${rows.total} chosen=${chosen} />`)}</ul>
    </div>
  </section>`;
}

function Row({ number, row, total, chosen }) {
  return html`<li style=${{ transform: `translateY(${number * ROW}px)` }} aria-setsize=${total} aria-posinset=${number + 1}>
    ${row ? html`<a href=${`#/operations/${row.id}`} class=${classes(row.id === chosen && "on")}
        aria-current=${row.id === chosen ? "true" : undefined}>
      <span class="line"><${Badge} kind=${`type-${row.type}`}>${row.type}<//><${Title} title=${row.title} />
        ${!row.listed && html`<${Badge} title="Clients find it by a search">unlisted<//>`}</span>
      <span class="line small">${row.summary || row.exposer}</span></a>` : html`<span class="waiting"></span>`}
  </li>`;
}

const METHOD = /^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (.*)$/;

export function Title({ title }) {
  const match = METHOD.exec(title);
  return match
    ? html`<span class="name"><b class=${`method ${match[1].toLowerCase()}`}>${match[1]}</b> ${match[2]}</span>`
    : html`<span class="name">${title}</span>`;
}

/** The rows of a search, in pages that are loaded when they are seen. */
function useRows(query, exposer) {
  const [state, setState] = useState({ key: "", total: 0, pages: new Map(), error: null });
  const key = JSON.stringify([query, exposer]);
  const pending = useRef(new Set());
  const load = async (page) => {
    const name = `${key} ${page}`;
    if (pending.current.has(name)) return;
    pending.current.add(name);
    const search = new URLSearchParams({ q: query, exposer, offset: page * PAGE, limit: PAGE });
    try {
      const data = await request(`/api/operations?${search}`);
      if (latest.current !== key) return;
      setState((old) => {
        const pages = new Map(old.key === key ? old.pages : []);
        return { key, total: data.total, pages: pages.set(page, data.rows), error: null };
      });
    } catch (error) {
      setState((old) => ({ ...old, error: error.message }));
    } finally {
      pending.current.delete(name);
    }
  };
  const latest = useRef(key);
  latest.current = key;
  useEffect(() => { load(0); }, [key]);
  return {
    total: state.total,
    error: state.error,
    at: (number) => state.pages.get(Math.floor(number / PAGE))?.[number % PAGE],
    want: (first, last) => {
      if (state.key !== key) return;
      for (let page = Math.floor(first / PAGE); page * PAGE < last; page += 1) if (!state.pages.has(page)) load(page);
    },
  };
}

function arrows(event, box) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  focusRow(box, step);
}

/** Move the focus to the next row, from the search to the first one. */
function focusRow(box, step) {
  const links = [...box.querySelectorAll("a")];
  const index = links.indexOf(document.activeElement);
  const next = index < 0 ? links.find((each) => each.getBoundingClientRect().top >= box.getBoundingClientRect().top - 1) : links[index + step];
  next?.focus();
}

/** Call a function for a key that is pressed outside of fields; return a function that ends it. */
function onKey(key, action) {
  const listen = (event) => {
    if (event.key !== key || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "")) return;
    event.preventDefault();
    action();
  };
  addEventListener("keydown", listen);
  return () => removeEventListener("keydown", listen);
}
