// Numbers, money and days as the host's locale writes them. The figures are US dollars, the days UTC.

const MISSING = "–";
const NAMES = {
  average_order_value: "Average order",
  gross_margin: "Gross profit",
  items: "Items sold",
};

function formats(locale) {
  const known = knownLocale(locale);
  const number = (options) => new Intl.NumberFormat(known, options);
  const day = (options) => new Intl.DateTimeFormat(known, { timeZone: "UTC", ...options });
  const money = number({ style: "currency", currency: "USD", maximumFractionDigits: 0 });
  const cents = number({ style: "currency", currency: "USD" });
  const short = number({ style: "currency", currency: "USD", notation: "compact", maximumFractionDigits: 2 });
  const count = number({ maximumFractionDigits: 1 });
  const tenth = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  const percent = number({ style: "percent", ...tenth });
  const signed = number({ style: "percent", signDisplay: "exceptZero", ...tenth });
  const points = number({ signDisplay: "exceptZero", ...tenth });
  const full = day({ day: "numeric", month: "short", year: "numeric" });
  const steps = { day: day({ day: "numeric", month: "short" }), month: day({ month: "short", year: "2-digit" }) };
  const or = (write) => (value) => (value === undefined || value === null ? MISSING : write(value));
  return {
    money: or((value) => money.format(value)),
    short: (value) => short.format(value),
    count: or((value) => count.format(value)),
    percent: or((value) => percent.format(value / 100)),
    value: (figure) => or((value) => {
      if (figure.unit === "percent") return percent.format(value / 100);
      if (figure.unit === "count") return count.format(value);
      return (Math.abs(value) < 1000 ? cents : Math.abs(value) < 1e7 ? money : short).format(value);
    })(figure.value),
    change: (value, unit) => (unit === "percent" ? `${points.format(value)} pts` : signed.format(value / 100)),
    days: (span) => full.formatRange(date(span.first_day), date(span.last_day)),
    day: (iso) => full.format(date(iso)),
    moment: (text) => day({ dateStyle: "medium", timeStyle: "short" }).format(new Date(text)),
    step: (point, step) => {
      const begin = date(point.first_day);
      if (step === "quarter") return `Q${Math.floor(begin.getUTCMonth() / 3) + 1} ${begin.getUTCFullYear()}`;
      return (step === "month" ? steps.month : steps.day).format(begin);
    },
  };
}

function knownLocale(locale) {
  try {
    return Intl.getCanonicalLocales(locale)[0] ?? navigator.language;
  } catch {
    return navigator.language; // the host sent what is no language tag
  }
}

const date = (iso) => new Date(`${iso}T00:00:00Z`);

/** A figure's name for people: `gross_margin_percent` is "Gross margin". */
function named(name) {
  const words = NAMES[name] ?? name.replace(/_percent$/, "").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A period's name for people: `last_30_days` is "Last 30 days", `2026-03` stays. */
const namedPeriod = (name) => (/^[a-z]/.test(name) ? named(name) : name.replace("..", " to "));
