// Lines over time, as SVG.
import { classes, html } from "./lib.js";

const WIDTH = 420;
const HEIGHT = 96;

/** Lines over time; `lines` are names, kinds and values, null where there is none. */
export function LineChart({ title, times, lines, format }) {
  const highest = Math.max(...lines.flatMap(([, , values]) => values.map((each) => each ?? 0)), 0);
  const top = niceTop(highest);
  const x = (index) => (index / Math.max(1, times.length - 1)) * WIDTH;
  const y = (value) => HEIGHT - (value / top) * (HEIGHT - 6);
  const latest = (values) => values.findLast((each) => each !== null) ?? null;
  const text = lines.map(([name, , values]) => `${name} ${latest(values) === null ? "none" : format(latest(values))}`).join(", ");
  return html`<figure class="chart"><figcaption><h2>${title}</h2>
      <span class="legend">${lines.map(([name, kind, values]) => html`<span class=${classes("legend-item", kind)}>${name} <b>${latest(values) === null ? "–" : format(latest(values))}</b></span>`)}</span></figcaption>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT + 2}`} preserveAspectRatio="none" role="img" aria-label=${`${title}, latest: ${text}`}>
      ${[0, 0.5, 1].map((share) => html`<line class="grid" x1="0" x2=${WIDTH} y1=${y(top * share)} y2=${y(top * share)} />`)}
      ${lines.map(([, kind, values]) => html`<path class=${`line ${kind}`} d=${pathOf(values, x, y)} />`)}
    </svg>
    <p class="axis"><span>${minutes(times)} ago</span><span>max. ${highest ? format(highest) : "–"}</span><span>now</span></p></figure>`;
}

const minutes = (times) => `${Math.round((times.at(-1) - times[0]) / 60)} min`;

function niceTop(value) {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((each) => each * unit).find((each) => each >= value);
}

function pathOf(values, x, y) {
  let path = "", drawn = false;
  values.forEach((value, index) => {
    if (value === null) { drawn = false; return; }
    // A value without neighbours is a short line, or it would not be seen.
    const isAlone = (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null;
    path += `${drawn ? "L" : "M"}${x(index).toFixed(1)},${y(value).toFixed(1)}${isAlone ? "h-3" : ""}`;
    drawn = true;
  });
  return path;
}
