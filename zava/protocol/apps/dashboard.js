// What the person sees next: the host's figures, the filters' figures, or why there are none.

const TOOL = "show_sales_dashboard";
const PERIODS = ["last_7_days", "last_30_days", "this_month", "last_month", "last_quarter", "year_to_date", "last_12_months"];
const HOST_STYLES = {
  "--color-background-primary": "--surface", "--color-background-secondary": "--page", "--color-text-primary": "--ink",
  "--color-text-secondary": "--muted", "--color-border-primary": "--line", "--font-sans": "--font",
};

const part = (id) => document.getElementById(id);
const state = { host: null, report: null, arguments: {}, format: formats(undefined), asked: 0 };

function say(text) {
  part("state").textContent = text;
}

function showProblem(message, hint) {
  part("problem").replaceChildren(element("p", {}, element("strong", {}, message)), element("p", {}, hint ?? ""));
  part("problem").hidden = false;
  part("skeleton").hidden = true;
  say("");
}

/** A tool's result, good or bad (zava/protocol/results.py): a report, or an error `{code, message, hint}` as text. */
function showResult(result) {
  const text = result.content?.find(({ type }) => type === "text")?.text ?? "";
  if (result.isError || !result.structuredContent) {
    const { message, hint } = readError(text);
    showProblem(message ?? "The figures could not be had.", hint ?? "");
    return;
  }
  part("problem").hidden = true;
  state.report = result.structuredContent;
  render();
  say("");
}

function readError(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text || undefined };
  }
}

function render() {
  const { report, format } = state;
  if (!report) return;
  const { period } = report;
  part("subject").textContent = report.subject;
  part("period").textContent = `${format.days(period)}${period.counted_until ? `, counted until ${format.moment(period.counted_until)} ${period.time_zone}` : ""}`;
  const sold = report.figures.some(({ name, value }) => name === "orders" && value > 0);
  const nothing = sold ? [] : [element("div", { class: "card empty" },
    element("h2", {}, "No orders in this period"),
    element("p", { class: "muted" }, "Choose another period or store, or ask for one with orders."))];
  part("report").replaceChildren(...nothing, ...reportSections(report, format));
  part("report").hidden = false;
  part("skeleton").hidden = true;
  fillFilters(report);
}

function fillFilters({ stores, period }) {
  if (!state.host?.can.serverTools) return;
  const chosen = stores.filter(({ selected }) => selected);
  const one = chosen.length === 1 && stores.length > 1 ? chosen[0].store_id : "";
  fillSelect(part("store"), [["", `All ${stores.length} stores`], ...stores.map(({ store_id: id, name }) => [id, name])], one);
  part("store-label").hidden = stores.length < 2;
  const names = PERIODS.includes(period.name) ? PERIODS : [period.name, ...PERIODS];
  fillSelect(part("time-period"), names.map((name) => [name, namedPeriod(name)]), period.name);
  part("filters").hidden = false;
}

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  select.value = chosen;
}

async function ask() {
  const { host } = state;
  const wanted = { time_period: part("time-period").value };
  if (part("store").value) wanted.store = part("store").value;
  state.asked += 1;
  const asked = state.asked;
  part("dashboard").setAttribute("aria-busy", "true");
  say("Asking for the figures ...");
  try {
    const result = await host.request("tools/call", { name: TOOL, arguments: wanted });
    if (asked !== state.asked) return; // a later choice is on its way
    showResult(result);
    if (!result.isError && host.can.updateModelContext) {
      const text = `In the dashboard the user now looks at ${state.report.subject}, ${state.report.period.name}.`;
      await host.request("ui/update-model-context", { content: [{ type: "text", text }] });
    }
  } catch (problem) {
    if (asked === state.asked) showProblem("The figures could not be had.", problem.message);
  } finally {
    if (asked === state.asked) part("dashboard").removeAttribute("aria-busy");
  }
}

function applyContext({ theme, locale, styles, safeAreaInsets }) {
  const root = document.documentElement;
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  for (const [theirs, ours] of Object.entries(HOST_STYLES)) {
    const value = styles?.variables?.[theirs];
    if (value) root.style.setProperty(ours, value);
  }
  if (safeAreaInsets) {
    const { top, right, bottom, left } = safeAreaInsets;
    document.body.style.padding = `${top}px ${right}px ${bottom}px ${left}px`;
  }
  if (locale) {
    state.format = formats(locale);
    render();
  }
}

async function start() {
  if (window.parent === window) {
    showProblem("This page shows its figures inside an MCP client.", "Ask your assistant to show the sales dashboard.");
    return;
  }
  let stopReporting = () => {};
  state.host = await connectToHost({
    "host-context-changed": applyContext,
    "tool-input": () => say("Asking for the figures ..."),
    "tool-result": showResult,
    "tool-cancelled": ({ reason }) => showProblem("The call was cancelled.", reason),
    teardown: () => stopReporting(),
  });
  applyContext(state.host.context);
  render();
  stopReporting = reportHeight(state.host);
}

part("filters").addEventListener("change", ask);
part("filters").addEventListener("submit", (event) => event.preventDefault());
start();
