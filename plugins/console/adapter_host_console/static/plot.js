// Lines over time, drawn by uPlot; all plots of a page show the moment below the pointer.
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import uPlot from "./vendor/uplot.mjs";
import { classes, html } from "./lib.js";

const HEIGHT = 132;
const DARK = matchMedia("(prefers-color-scheme: dark)");
const FONT = "11px system-ui, sans-serif";

/** Lines over time; `lines` are names, kinds and values, null where there is none. `times` are seconds since 1970.
 * `format` is for values in texts; the numbers at the axis have a `unit`. */
export function Plot({ title, times, lines, format, unit = "" }) {
  const [box, plot, [shown, setShown]] = [useRef(), useRef(), useState(null)];
  const isDark = useDark();
  const data = [times, ...lines.map(([, , values]) => values)];
  const kinds = lines.map(([, kind]) => kind).join(" ");
  useEffect(() => {
    const parent = box.current;
    const made = new uPlot(optionsOf(parent, lines, unit, setShown), data, parent);
    const observer = new ResizeObserver(() => made.setSize({ width: parent.clientWidth, height: HEIGHT }));
    observer.observe(parent);
    plot.current = made;
    return () => { observer.disconnect(); made.destroy(); };
  }, [isDark, kinds]);
  useEffect(() => plot.current.setData(data), [times]);
  const latest = (values) => values.findLast((each) => each !== null) ?? null;
  const at = (values) => (shown === null ? latest(values) : values[shown] ?? null);
  const text = (value) => (value === null ? "–" : format(value));
  const label = lines.map(([name, , values]) => `${name} ${latest(values) === null ? "none" : format(latest(values))}`).join(", ");
  return html`<figure class="chart"><figcaption><h2>${title}</h2>
      <span class="legend">${lines.map(([name, kind, values]) => html`<span class=${classes("legend-item", kind)}>${name} <b>${text(at(values))}</b></span>`)}</span></figcaption>
    <div class="plot" ref=${box} role="img" aria-label=${`${title}, latest: ${label}`}></div></figure>`;
}

function useDark() {
  const [isDark, setDark] = useState(DARK.matches);
  useEffect(() => {
    const follow = () => setDark(DARK.matches);
    DARK.addEventListener("change", follow);
    return () => DARK.removeEventListener("change", follow);
  }, []);
  return isDark;
}

function optionsOf(box, lines, unit, onMove) {
  const color = (kind) => colorOf(box, kind);
  const axis = { stroke: color("soft"), font: FONT, ticks: { show: false } };
  const grid = { stroke: color("line"), width: 1 };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "live" }, points: { size: 6 } },
    scales: { y: { range: (_, least, highest) => [0, highest > 0 ? highest * 1.08 : 1] } },
    axes: [
      { ...axis, size: 20, gap: 4, grid: { show: false }, space: 60, incrs: [60, 120, 300], values: (_, times) => times.map(minute) },
      { ...axis, size: 52, gap: 6, grid, space: 34, values: (_, values) => values.map((each) => `${Number(each.toFixed(3)).toLocaleString("en")}${unit}`) },
    ],
    series: [
      {},
      ...lines.map(([name, kind]) => ({
        label: name, stroke: color(kind), width: 1.6, points: { show: true, size: 5, fill: color(kind), filter: alone },
      })),
    ],
    hooks: { setCursor: [(self) => onMove(self.cursor.idx ?? null)] },
  };
}

/** Return the indexes of the values without neighbours, which no line would show. */
function alone(self, series) {
  const values = self.data[series];
  const has = (index) => (values[index] ?? null) !== null;
  return values.flatMap((_, index) => (has(index) && !has(index - 1) && !has(index + 1) ? [index] : []));
}

const minute = (time) => new Date(time * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

/** Return a colour of the style sheet; a canvas knows neither its names nor the scheme. */
function colorOf(box, kind) {
  const probe = document.createElement("span");
  probe.className = `color ${kind}`;
  box.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
