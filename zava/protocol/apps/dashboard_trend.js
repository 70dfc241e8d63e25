// The trend: revenue by day, week or month as an area from zero, the previous period as a dotted line.

const HEIGHT = 220;
const EDGE = { top: 12, right: 10, bottom: 26 };

function trendSection({ trend, period, previous_period: previous }, format) {
  const legend = element("p", { class: "legend muted" },
    element("span", { class: "key now" }, "This period"),
    previous ? element("span", { class: "key before" }, "Previous period") : "");
  const readout = element("p", { class: "readout muted", "aria-hidden": "true" });
  const chart = element("div", { class: "chart" });
  const rows = trend.points.map((point, index) => ({
    cells: [format.step(point, trend.step), format.money(point.revenue), format.count(point.orders),
      format.money(trend.previous_points[index]?.revenue)],
  }));
  const asTable = element("details", {},
    element("summary", {}, `Show the ${rows.length} values as a table`),
    table("Revenue trend", [[`By ${trend.step}`, ""], ["Revenue", "number"], ["Orders", "number"], ["Previous period", "number"]], rows));
  const unfinished = isShort(trend.points[trend.points.length - 1], trend.step, period)
    ? element("p", { class: "muted small" }, `The last ${trend.step} is not complete.`) : "";
  // Drawn to the width there is, so that type keeps its size; again whenever that changes.
  let width = 0;
  new ResizeObserver(([entry]) => {
    if (Math.round(entry.contentRect.width) === width) return;
    width = Math.round(entry.contentRect.width);
    chart.replaceChildren(drawTrend(trend, width, format, readout));
  }).observe(chart);
  return section("Revenue trend", legend, chart, readout, unfinished, asTable);
}

function drawTrend(trend, width, format, readout) {
  const { points } = trend;
  // A longer period before would end in steps that nothing is compared with, the last of them often cut short.
  const before = trend.previous_points.slice(0, points.length);
  const count = points.length;
  const ticks = niceTicks(Math.max(...points.map((p) => p.revenue), ...before.map((p) => p.revenue), 1));
  const top = ticks[ticks.length - 1];
  const left = 8 + 6.6 * Math.max(...ticks.map((tick) => format.short(tick).length));
  const x = (index) => left + (count < 2 ? 0.5 : index / (count - 1)) * (width - left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - (value / top) * (HEIGHT - EDGE.top - EDGE.bottom);
  const line = (series) => series.map((p, index) => `${index ? "L" : "M"}${x(index).toFixed(1)} ${y(p.revenue).toFixed(1)}`).join("");

  const svg = drawn("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": summary(trend, format) });
  for (const tick of ticks) {
    svg.append(drawn("line", { class: "grid", x1: left, x2: width - EDGE.right, y1: y(tick), y2: y(tick) }),
      drawn("text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, format.short(tick)));
  }
  const every = Math.ceil(count / Math.max(2, Math.floor((width - left) / 74)));
  points.forEach((point, index) => {
    if (index % every) return;
    const anchor = index === 0 ? "start" : x(index) > width - 30 ? "end" : "middle";
    svg.append(drawn("text", { class: "tick", x: x(index), y: HEIGHT - 6, "text-anchor": anchor }, format.step(point, trend.step)));
  });
  const last = points.length - 1;
  svg.append(
    drawn("path", { class: "area", d: `${line(points)}L${x(last)} ${y(0)}L${x(0)} ${y(0)}Z` }),
    drawn("path", { class: "before", d: line(before) }),
    drawn("path", { class: "now", d: line(points) }));
  if (points.length === 1) svg.append(drawn("circle", { class: "dot", cx: x(0), cy: y(points[0].revenue), r: 4 }));

  const guide = drawn("g", { class: "guide", visibility: "hidden" },
    drawn("line", { y1: EDGE.top, y2: y(0) }), drawn("circle", { class: "dot", r: 4 }));
  svg.append(guide);
  svg.addEventListener("pointermove", (event) => {
    const place = event.clientX - svg.getBoundingClientRect().left;
    const index = Math.max(0, Math.min(last, Math.round(((place - left) / (width - left - EDGE.right)) * (count - 1))));
    const [rule, dot] = guide.children;
    rule.setAttribute("x1", x(index));
    rule.setAttribute("x2", x(index));
    dot.setAttribute("cx", x(index));
    dot.setAttribute("cy", y(points[index].revenue));
    guide.setAttribute("visibility", "visible");
    const then = before[index] ? `, previous period ${format.money(before[index].revenue)}` : "";
    readout.textContent = `${format.step(points[index], trend.step)}: ${format.money(points[index].revenue)}, ${format.count(points[index].orders)} orders${then}`;
  });
  svg.addEventListener("pointerleave", () => {
    guide.setAttribute("visibility", "hidden");
    readout.textContent = "";
  });
  return svg;
}

/** Whether the step that begins at `point` ends after what was counted: a line that falls there says nothing. */
function isShort(point, step, period) {
  const end = date(point.first_day);
  if (step === "day" || step === "week") end.setUTCDate(end.getUTCDate() + (step === "week" ? 7 : 1));
  else end.setUTCMonth(end.getUTCMonth() + (step === "quarter" ? 3 : 1));
  end.setUTCDate(end.getUTCDate() - 1);
  return period.partial || end > date(period.last_day);
}

function summary(trend, format) {
  const best = trend.points.reduce((most, point) => (point.revenue > most.revenue ? point : most));
  const [first, last] = [trend.points[0], trend.points[trend.points.length - 1]];
  return `Revenue by ${trend.step}: ${format.money(first.revenue)} on ${format.step(first, trend.step)}, `
    + `${format.money(last.revenue)} on ${format.step(last, trend.step)}, most ${format.money(best.revenue)} on ${format.step(best, trend.step)}. `
    + "The values stand in the table below.";
}

/** Round numbers from zero to at least `most`, four to six of them. */
function niceTicks(most) {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step);
}
