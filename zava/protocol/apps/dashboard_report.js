// A performance report as sections of the page. The shape is zava/services/performance_report.py's.

const LEADING = ["revenue", "orders", "items", "average_order_value", "gross_margin_percent"];
// Whether more is better (1) or worse (-1); of other figures neither is said.
const BETTER = {
  revenue: 1, orders: 1, items: 1, average_order_value: 1, gross_margin: 1, gross_margin_percent: 1,
  new_customers: 1, returning_customers: 1, discount_percent: -1, returned_or_cancelled_percent: -1,
};

function reportSections(report, format) {
  const sold = report.figures.some(({ name, value }) => name === "orders" && value > 0);
  return [
    tiles(report, format),
    insights(report.insights),
    sold && report.trend.points.length ? trendSection(report, format) : null,
    element("div", { class: "halves" }, categories(report, format), products(report, format)),
    stores(report, format),
    stock(report, format),
    notes(report, format),
  ].filter((part) => part !== null);
}

function insights(found) {
  if (!found.length) return null;
  return section("What stands out", null,
    element("ul", { class: "insights" }, ...found.map(({ sentence }) => element("li", {}, sentence))));
}

function tiles({ figures }, format) {
  const tile = (figure) => element("div", { class: LEADING.includes(figure.name) ? "card tile leading" : "card tile" },
    element("dt", { class: "muted" }, named(figure.name)),
    element("dd", { class: "value" }, format.value(figure)),
    element("dd", {}, changed(format.change(figure.change ?? 0, figure.unit), figure.change, BETTER[figure.name] ?? 0, "vs previous")),
    element("dd", {}, changed(format.change(figure.last_year_change ?? 0, figure.unit), figure.last_year_change, BETTER[figure.name] ?? 0, "vs last year")),
    element("dd", { class: "muted" }, figure.peer_median === undefined ? ""
      : `Others' median: ${format.value({ ...figure, value: figure.peer_median })}`));
  const shown = figures.filter(({ value }) => value !== undefined && value !== null);
  const order = ({ name }) => (LEADING.includes(name) ? LEADING.indexOf(name) : LEADING.length);
  const sorted = [...shown].sort((one, other) => order(one) - order(other));
  return element("dl", { class: "tiles", "aria-label": "Figures" }, ...sorted.map(tile));
}

function categories({ categories: found }, format) {
  if (!found.length) return null;
  const rows = found.map((category) => ({
    bar: category.revenue,
    before: category.previous_revenue,
    cells: [category.name, format.money(category.revenue), format.percent(category.share_percent),
      changed(format.change(category.change ?? 0), category.change, 1) ?? MISSING],
  }));
  return section("Categories", markKey(rows),
    table("Categories", [["Category", ""], ["Revenue", "number"], ["Share", "number"], ["Change", "number spare"]], rows));
}

function products({ top_products: found }, format) {
  if (!found.length) return null;
  const rows = found.map((product) => ({
    bar: product.revenue,
    before: product.previous_revenue,
    cells: [[product.name, element("span", { class: "muted small" }, `${product.sku}, ${product.category}`)],
      format.money(product.revenue), format.count(product.items), format.percent(product.share_percent)],
  }));
  return section("Top products", markKey(rows),
    table("Top products", [["Product", ""], ["Revenue", "number"], ["Items", "number"], ["Share", "number spare"]], rows));
}

const markKey = (rows) => (rows.some(({ before }) => before !== undefined)
  ? element("p", { class: "legend muted" }, element("span", { class: "key mark" }, "Previous period")) : null);

function stores({ stores: found }, format) {
  if (found.length < 2) return null;
  const rows = found.map((store) => ({
    bar: store.revenue,
    before: store.previous_revenue,
    chosen: store.selected && found.some((other) => !other.selected),
    cells: [store.name, format.money(store.revenue), changed(format.change(store.change ?? 0), store.change, 1) ?? MISSING,
      format.count(store.orders), format.percent(store.gross_margin_percent)],
  }));
  return section("Stores", markKey(rows),
    table("Stores", [["Store", ""], ["Revenue", "number"], ["Change", "number"], ["Orders", "number spare"], ["Margin", "number spare"]], rows));
}

function stock({ stock_at_risk: found, stock_at_risk_count: count, stores: all }, format) {
  if (!found.length) return null;
  const several = all.length > 1;
  const rows = found.map((risk) => ({
    cells: [[risk.name, element("span", { class: "muted small" }, several ? `${risk.sku}, ${risk.store}` : risk.sku)],
      format.count(risk.stock_level), format.count(risk.sold_per_day),
      element("span", { class: risk.days_of_cover < 3 ? "urgent" : "" }, format.count(risk.days_of_cover))],
  }));
  const of = element("p", { class: "muted small" }, found.length < count ? `${found.length} most urgent of ${count}` : "");
  return section("Stock at risk", of,
    table("Stock at risk", [["Product", ""], ["In stock", "number"], ["Sold a day", "number spare"], ["Days left", "number"]], rows),
    element("p", { class: "muted small" }, "Days left at the pace of the last four weeks, as of now."));
}

function notes({ notes: found, previous_period: before, last_year: year, period }, format) {
  const lines = [...found];
  const compared = (span) => `${format.days(span)}${span.orders_begin ? `, with orders from ${format.day(span.orders_begin)} on` : ""}`;
  if (before) lines.push(`The previous period is ${compared(before)}.`);
  if (year) lines.push(`Last year's is ${compared(year)}.`);
  lines.push(`Amounts are US dollars; a day ends at midnight ${period.time_zone}.`);
  return element("footer", {}, element("ul", { class: "notes muted small" }, ...lines.map((line) => element("li", {}, line))));
}
