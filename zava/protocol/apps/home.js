"use strict";

const said = document.getElementById("said");

// Copying -----------------------------------------------------------------------------------------------------------

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  let done = "Copied";
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without HTTPS, or with the permission denied, a page may still mark the text for the person to copy.
    getSelection().selectAllChildren(source);
    done = "Press Ctrl+C";
  }
  button.textContent = done;
  said.textContent = done;
  setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
}

for (const button of document.querySelectorAll(".copy")) {
  const what = document.getElementById(button.dataset.copy).closest("pre")?.getAttribute("aria-label");
  if (what) button.setAttribute("aria-label", `Copy: ${what}`);
  button.addEventListener("click", () => copy(button));
}

// Tabs, as the ARIA Authoring Practices describe them; without script the sections stand one below the other ---------

function makeTabs(container) {
  const panels = [...container.children];
  const list = document.createElement("div");
  list.className = "tablist";
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Clients");
  const tabs = panels.map((panel) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `${panel.id}-tab`;
    tab.textContent = panel.querySelector("h3").textContent;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    list.append(tab);
    return tab;
  });
  const choose = (chosen) => tabs.forEach((tab, index) => {
    tab.setAttribute("aria-selected", String(index === chosen));
    tab.tabIndex = index === chosen ? 0 : -1;
    panels[index].hidden = index !== chosen;
  });
  tabs.forEach((tab, index) => tab.addEventListener("click", () => choose(index)));
  list.addEventListener("keydown", (event) => {
    const now = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const wrapped = (next + tabs.length) % tabs.length;
    choose(wrapped);
    tabs[wrapped].focus();
  });
  container.prepend(list);
  choose(Math.max(0, panels.findIndex((panel) => `#${panel.id}` === location.hash)));
}

document.querySelectorAll("[data-tabs]").forEach(makeTabs);

// Health ------------------------------------------------------------------------------------------------------------

const GOOD = new Set(["ready", "ok", "proved"]);

function show(report) {
  for (const place of document.querySelectorAll("#health dd")) {
    const state = String(report[place.dataset.of] ?? "unknown");
    place.textContent = state;
    place.parentElement.dataset.state = GOOD.has(state) ? "good" : state === "asking" ? "asking" : "bad";
  }
}

async function check() {
  show({ status: "asking", database: "asking", isolation: "asking" });
  let report;
  try {
    const answer = await fetch("health/ready", { cache: "no-store", signal: AbortSignal.timeout(15000) });
    report = await answer.json();
  } catch {
    report = { status: "no answer" };
  }
  show(report);
  document.getElementById("checked").textContent = ` at ${new Date().toLocaleTimeString()}`;
}

document.getElementById("again").addEventListener("click", check);
check();
