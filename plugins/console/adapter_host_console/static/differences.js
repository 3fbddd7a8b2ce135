// The changes of a file, line by line.
import { html, plural } from "./lib.js";

const WORDS = { added: "added", removed: "removed", same: "" };
const SIGNS = { added: "+", removed: "−", same: "" };

export function Differences({ changes, file }) {
  const { rows, added, removed, left_out: leftOut } = changes;
  return html`<p class="small" role="status">${plural(added, "line")} added, ${plural(removed, "line")} removed</p>
    <div class="scroll differences" tabindex="0" role="region" aria-label=${`Changes of ${file}`}><table>
      <thead class="hidden"><tr><th scope="col">Line before</th><th scope="col">Line after</th><th scope="col">Change</th><th scope="col">Text</th></tr></thead>
      <tbody>${rows.map((row) => (row.kind === "gap"
        ? html`<tr class="gap"><td colspan="4">${plural(row.lines, "line")} without changes</td></tr>`
        : html`<tr class=${row.kind}><td class="number">${row.old}</td><td class="number">${row.new}</td>
          <td class="sign"><span aria-hidden="true">${SIGNS[row.kind]}</span><span class="hidden">${WORDS[row.kind]}</span></td>
          <td><code>${row.text}</code>${!row.ended && html` <span class="small">no line end</span>`}</td></tr>`))}</tbody>
    </table></div>
    ${leftOut > 0 && html`<p class="small">${plural(leftOut, "further line")} not shown.</p>`}`;
}
