// The list of operations with its search, and the operation that is chosen.
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import { Detail } from "./detail.js";
import { Badge, classes, html, plural, request, Title, useSettled } from "./lib.js";
import { SearchList } from "./rows.js";

const PAGE = 100;

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
  useEffect(() => { sessionStorage.setItem("query", settled); sessionStorage.setItem("exposer", exposer); }, [settled, exposer]);
  const exposers = (host.data?.capabilities ?? []).flatMap((each) => each.exposers).map((each) => each.namespace);
  const row = (number) => rows.at(number) && html`<${Row} row=${rows.at(number)} chosen=${chosen} />`;
  return html`<${SearchList} label="Operations" query=${query} onQuery=${setQuery} view=${JSON.stringify([settled, exposer])}
      total=${rows.total} status=${rows.error ?? plural(rows.total, "operation")} row=${row} want=${rows.want}>
    <select aria-label="Exposer" value=${exposer} onChange=${(event) => setExposer(event.currentTarget.value)}>
      <option value="">all exposers</option>
      ${[...new Set([...exposers, ...(exposer ? [exposer] : [])])].map((each) => html`<option value=${each}>${each}</option>`)}
    </select>
  <//>`;
}

function Row({ row, chosen }) {
  return html`<a href=${`#/operations/${row.id}`} class=${classes(row.id === chosen && "on")}
      aria-current=${row.id === chosen ? "true" : undefined}>
    <span class="line"><${Badge} kind=${`type-${row.type}`}>${row.type}<//><${Title} title=${row.title} />
      ${!row.listed && html`<${Badge} title="Clients find it by a search">unlisted<//>`}</span>
    <span class="line small">${row.summary || row.exposer}</span></a>`;
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
