// The parts of one request over time.
import { Badge, html, milliseconds } from "./lib.js";

export function Waterfall({ spans }) {
  const total = Math.max(...spans.map((each) => each.start_ms + (each.duration_ms ?? 0)), 0.001);
  const depth = (span) => (span.parent === null ? 0 : 1 + depth(spans[span.parent]));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Steps"><table class="waterfall">
    <thead class="hidden"><tr><th scope="col">Step</th><th scope="col">Outcome</th><th scope="col">Over time</th><th scope="col">Duration</th></tr></thead>
    <tbody>${spans.map((each) => html`<tr>
      <th scope="row" style=${{ paddingLeft: `${depth(each) * 14}px` }}><code>${each.name}</code></th>
      <td>${each.outcome !== null && html`<${Badge} kind=${typeof each.outcome === "number" && each.outcome < 400 ? "good" : "bad"}>${each.outcome}<//>`}</td>
      <td class="track"><span class=${`bar ${each.kind}`} style=${{
        marginLeft: `${(each.start_ms / total) * 100}%`, width: `${Math.max(0.5, ((each.duration_ms ?? 0) / total) * 100)}%`,
      }}></span></td>
      <td class="number">${milliseconds(each.duration_ms)}</td></tr>`)}</tbody>
  </table></div>`;
}
