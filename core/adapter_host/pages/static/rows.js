// A list of any length with a search: only the rows in view are elements.
import { useEffect, useLayoutEffect, useRef, useState } from "./vendor/hooks.mjs";
import { html } from "./elements.js";

const ROW = 54;
const SPARE = 6;

/**
 * The search and the list. `row(number)` returns the link of a row, or nothing while it is loaded; `want(first, last)` is
 * called with the rows that come into view; `status` is the text beside the controls in `children`. When `view` changes,
 * the list shows its beginning.
 */
export function SearchList({ label, query, onQuery, view, total, status, row, want, children }) {
  const box = useRef();
  const input = useRef();
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setSeen({ top: box.current.scrollTop, height: box.current.clientHeight }));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => { box.current.scrollTop = 0; setSeen((old) => ({ ...old, top: 0 })); }, [view]);
  useEffect(() => onKey("/", () => input.current.focus()), []);
  const first = Math.max(0, Math.floor(seen.top / ROW) - SPARE);
  const last = Math.min(total, Math.ceil((seen.top + seen.height) / ROW) + SPARE);
  useEffect(() => want?.(first, last), [first, last, view]);
  const follow = (event) => { setSeen({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight }); };
  const move = (event) => arrows(event, box.current);
  const numbers = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
  return html`<section class="list" aria-label=${label}>
    <form class="search" role="search" onSubmit=${(event) => { event.preventDefault(); focusRow(box.current, 1); }}>
      <input ref=${input} type="search" placeholder="Search operations" aria-label="Search operations" value=${query}
        onInput=${(event) => onQuery(event.currentTarget.value)} onKeyDown=${move} />
      ${children}
      <span class="small" role="status">${status}</span>
    </form>
    <div class="rows" ref=${box} onScroll=${follow} onKeyDown=${move}>
      <ul style=${{ height: `${total * ROW}px` }}>${numbers.map((number) => html`<li key=${number}
        style=${{ transform: `translateY(${number * ROW}px)` }} aria-setsize=${total} aria-posinset=${number + 1}>
        ${row(number) ?? html`<span class="waiting"></span>`}</li>`)}</ul>
    </div>
  </section>`;
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
export function onKey(key, action) {
  const listen = (event) => {
    if (event.key !== key || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "")) return;
    event.preventDefault();
    action();
  };
  addEventListener("keydown", listen);
  return () => removeEventListener("keydown", listen);
}
