// Problems and warnings of the files, as a reload would report them.
import { Badge, html, Notice, plural, request, useLoaded } from "./lib.js";

export function Problems({ host }) {
  const { data, error, again } = useLoaded(() => request("/api/problems"), "problems");
  const edits = Boolean(host.data?.edits);
  const files = useLoaded(() => (edits ? request("/api/files") : Promise.resolve({ files: [] })), edits);
  const idOf = (file) => files.data?.files.find((each) => each.file === file && !each.refusal)?.id;
  const found = data?.problems ?? [];
  const errors = found.filter((each) => !each.warning).length;
  return html`<div class="page">
    <header class="title"><h1>Problems</h1>
      <button type="button" onClick=${again}>Check again</button>
      <span class="small" role="status">${data && summary(errors, found.length - errors)}</span></header>
    <p class="text">The files as they are now. While they have errors, a reload is refused, and what is served stays.</p>
    ${error && html`<${Notice} kind="error">${error}<//>`}
    ${data && found.length === 0 && html`<${Notice} kind="good">No problems and no warnings.<//>`}
    ${Object.entries(Object.groupBy(found, (each) => each.file || "host")).map(([file, group]) => html`
      <section class="block"><header><h2><code>${file}</code></h2></header>
        <ul class="problems">${group.map((each) => html`<li>
          <${Badge} kind=${each.warning ? "warn" : "bad"}>${each.warning ? "warning" : "error"}<//>
          <${Place} problem=${each} id=${idOf(each.file)} />
          <span class="text">${each.message}</span>
          <code class="small">${each.code}</code></li>`)}</ul></section>`)}
  </div>`;
}

const summary = (errors, warnings) => `${plural(errors, "error")}, ${plural(warnings, "warning")}`;

function Place({ problem, id }) {
  const text = problem.line ? `${problem.line}:${problem.column}` : "";
  return id && text ? html`<a class="place" href=${`#/files/${id}/${problem.line}`}><code>${text}</code></a>` : html`<code class="place">${text}</code>`;
}
