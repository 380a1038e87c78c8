// Charts of the last three minutes, drawn as SVG. All share one point in time to read values at:
// where the pointer is, or where the arrow keys moved it; otherwise it is now.

import { clock, make, put } from "./write.js";

export const SPAN = 180;
const HEIGHT = 132;
const INSET = { left: 44, right: 8, top: 8, bottom: 20 };
const axis = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const SVG = "http://www.w3.org/2000/svg";

function draw(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

// The smallest of 1, 2, 4, 5 and 10 times a power of ten that is not below `most`: all of them
// can be halved on the axis.
export function roundUp(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 5, 10].map((step) => step * power).find((top) => top >= most * 0.9999);
}

// Stretches without an interruption.
function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point.interruption) found.push([]);
    else found.at(-1).push(point);
  }
  return found.filter((run) => run.length > 1);
}

class Chart {
  // series: [{key, label, tone, kind}], kind "area" (stacked), "line" or "dashed".
  constructor({ title, unit, least, series, write, scale = 1 }, board) {
    Object.assign(this, { title, unit, least, series, write, scale, board });
    this.values = series.map(() => make("b", {}, "–"));
    const legend = make("ul", { class: "legend" }, ...series.map((each, index) =>
      make("li", {}, make("span", { class: `key ${each.kind} ${each.tone}`, "aria-hidden": "true" }), `${each.label} `, this.values[index])));
    this.plot = document.createElementNS(SVG, "svg");
    this.plot.setAttribute("aria-hidden", "true");
    this.surface = make("div", {
      class: "plot", role: "slider", tabindex: "0", "aria-label": `${title}, point in time`,
      "aria-describedby": "chart-help", "aria-valuemin": String(-SPAN), "aria-valuemax": "0",
    }, this.plot);
    const heading = make("h3", {}, title, make("span", { class: "soft" }, ` ${unit}`));
    this.figure = make("figure", { class: "card chart" }, make("figcaption", {}, heading, legend), this.surface);
    this.surface.addEventListener("pointermove", (event) => board.point(this.timeAt(event)));
    this.surface.addEventListener("pointerleave", () => board.point(null));
    this.surface.addEventListener("keydown", (event) => board.key(event));
  }

  timeAt(event) {
    const box = this.surface.getBoundingClientRect();
    const inner = box.width - INSET.left - INSET.right;
    return this.board.now - SPAN * (1 - (event.clientX - box.left - INSET.left) / inner);
  }

  render(points, now, at) {
    const width = Math.round(this.surface.clientWidth) || 320;
    const [right, bottom] = [width - INSET.right, HEIGHT - INSET.bottom];
    const stacked = this.series.filter((each) => each.kind === "area");
    const heights = points.map((point) => Math.max(
      stacked.reduce((sum, each) => sum + (point[each.key] ?? 0), 0),
      ...this.series.filter((each) => each.kind !== "area").map((each) => point[each.key] ?? 0),
    ));
    const top = roundUp(Math.max(this.least, ...heights));
    const x = (t) => right - ((now - t) / SPAN) * (right - INSET.left);
    const y = (value) => bottom - (value / top) * (bottom - INSET.top);
    this.plot.replaceChildren();
    this.plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.axes(top, now, x, y, width);
    for (const run of runs(points)) this.stack(run, stacked, x, y);
    for (const each of this.series) if (each.kind !== "area") this.line(points, each, x, y);
    this.mark(points, at, x, bottom);
  }

  stack(points, stacked, x, y) {
    let floor = points.map(() => 0);
    for (const [place, { key, tone }] of stacked.entries()) {
      const roof = points.map((point, index) => floor[index] + (point[key] ?? 0));
      const edge = (heights) => points.map((point, index) => `${x(point.t).toFixed(1)},${y(heights[index]).toFixed(1)}`);
      const top = edge(roof);
      draw("path", { d: `M${top.join("L")}L${edge(floor).reverse().join("L")}Z`, class: `area ${tone}` }, this.plot);
      // Where a series is nothing it would only colour the edge of the one below it.
      const seen = (index) => place === 0 || roof[index] > floor[index];
      const outline = top.map((spot, index) => `${index && seen(index) && seen(index - 1) ? "L" : "M"}${spot}`);
      draw("path", { d: outline.join(""), class: `line ${tone}` }, this.plot);
      floor = roof;
    }
  }

  line(points, series, x, y) {
    let path = "";
    let pen = "M";
    for (const point of points) {
      const value = point[series.key];
      // A moment without a value, such as a latency without requests, is a gap.
      if (value == null) pen = "M";
      else {
        path += `${pen}${x(point.t).toFixed(1)},${y(value).toFixed(1)}`;
        pen = "L";
      }
    }
    if (path) draw("path", { d: path, class: `line ${series.tone} ${series.kind}` }, this.plot);
  }

  axes(top, now, x, y, width) {
    for (const value of [0, top / 2, top]) {
      const height = Math.round(y(value)) + 0.5;
      draw("line", { x1: INSET.left, x2: width - INSET.right, y1: height, y2: height, class: value ? "grid" : "axis" }, this.plot);
      draw("text", { x: INSET.left - 6, y: height + 3.5, class: "tick end" }, this.plot).textContent = axis.format(value * this.scale);
    }
    const step = 60;
    for (let t = Math.ceil((now - SPAN) / step) * step; t <= now; t += step) {
      const place = x(t);
      draw("line", { x1: place, x2: place, y1: HEIGHT - INSET.bottom, y2: HEIGHT - INSET.bottom + 4, class: "axis" }, this.plot);
      if (place < INSET.left + 16 || place > width - INSET.right - 16) continue;
      draw("text", { x: place, y: HEIGHT - 4, class: "tick middle" }, this.plot).textContent = clock(t).slice(0, 5);
    }
  }

  mark(points, at, x, bottom) {
    const point = at ?? points[points.length - 1];
    this.series.forEach((each, index) => put(this.values[index], point?.[each.key] == null ? "–" : this.write(point[each.key])));
    if (at) draw("line", { x1: x(at.t), x2: x(at.t), y1: INSET.top, y2: bottom, class: "cursor" }, this.plot);
    if (!point) return;
    const told = this.series.map((each, index) => `${each.label} ${this.values[index].textContent}`).join(", ");
    this.surface.setAttribute("aria-valuenow", at ? String(Math.round(at.t - this.board.now)) : "0");
    this.surface.setAttribute("aria-valuetext", `${at ? clock(at.t) : "now"}: ${told} ${this.unit}`);
  }
}

// The row of charts, and the point in time that they share.
export class Board {
  constructor(element, definitions) {
    this.points = [];
    this.now = 0;
    this.at = null;
    this.charts = definitions.map((definition) => new Chart(definition, this));
    element.append(...this.charts.map((chart) => chart.figure));
    new ResizeObserver(() => this.render()).observe(element);
  }

  add(point) {
    const last = this.points[this.points.length - 1];
    if (last && point.t <= last.t) return;
    // Over an interruption nothing is known, so the lines break there.
    if (last && point.t - last.t > 12) this.points.push({ t: last.t + 0.001, interruption: true });
    this.points.push(point);
    while (this.points[0].t < point.t - SPAN - 1) this.points.shift();
    this.now = point.t;
    if (this.at && this.at.t < point.t - SPAN) this.at = null;
  }

  render() {
    for (const chart of this.charts) chart.render(this.points, this.now, this.at);
  }

  point(time) {
    const near = (best, each) => (Math.abs(each.t - time) < Math.abs(best.t - time) ? each : best);
    this.at = time == null || !this.points.length ? null : this.points.reduce(near);
    this.render();
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === "Home") this.at = this.points[0] ?? null;
    else if (event.key === "End" || event.key === "Escape") this.at = null;
    else if (step) {
      const last = this.points.length - 1;
      const from = this.at ? this.points.indexOf(this.at) : last;
      const to = Math.max(0, from + step);
      this.at = to >= last ? null : this.points[to];
    } else return;
    event.preventDefault();
    this.render();
  }
}
