// Building the page. Text only ever becomes a text node: a product's name is data, whatever it looks like.

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** A section under its heading; `aside` stands beside the heading. */
function section(title, aside, ...children) {
  const id = `title-${title.toLowerCase().replace(/\W+/g, "-")}`;
  const heading = element("div", { class: "heading" }, element("h2", { id }, title), aside ?? "");
  return element("section", { class: "card", "aria-labelledby": id }, heading, ...children);
}

/** How a figure changed: an arrow and a sign beside the colour, so that nothing hangs on the colour alone. */
function changed(text, change, better, against) {
  if (change === undefined || change === null) return null;
  const direction = Math.sign(change);
  const tone = direction === 0 || better === 0 ? "even" : direction === better ? "good" : "bad";
  const arrow = element("span", { "aria-hidden": "true" }, ["▼", "•", "▲"][direction + 1]);
  return element("span", { class: `change ${tone}` }, arrow, ` ${text}`, against ? element("span", { class: "muted" }, ` ${against}`) : "");
}

/**
 * A table whose rows may carry a bar: `columns` are [title, class], a row is {cells, bar, before, chosen}. A bar begins at
 * zero and shares its scale with the others of its table; the tick on it is the period before.
 */
function table(caption, columns, rows) {
  const longest = Math.max(...rows.flatMap((row) => [row.bar ?? 0, row.before ?? 0]), Number.MIN_VALUE);
  const head = columns.map(([title, kind]) => element("th", { scope: "col", class: kind }, title));
  const body = rows.map(({ cells, bar, before, chosen }) => {
    const [first, ...others] = cells;
    const name = element("th", { scope: "row" }, ...[first].flat());
    if (bar !== undefined) name.append(barOf(bar / longest, before === undefined ? undefined : before / longest));
    const row = element("tr", {}, name, ...others.map((cell, index) => element("td", { class: columns[index + 1][1] }, cell)));
    if (chosen) row.setAttribute("aria-current", "true");
    return row;
  });
  return element("table", {},
    element("caption", { class: "unseen" }, caption),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body));
}

function barOf(share, before) {
  const percent = (part) => `${(100 * part).toFixed(2)}%`;
  const bar = drawn("svg", { class: "bar", "aria-hidden": "true", width: "100%", height: "8" },
    drawn("rect", { class: "track", width: "100%", height: "8", rx: "3" }),
    drawn("rect", { class: "fill", width: percent(share), height: "8", rx: "3" }));
  if (before !== undefined) {
    bar.append(drawn("rect", { class: "tick", x: percent(Math.min(before, 0.99)), width: "2", height: "8" }));
  }
  return bar;
}
