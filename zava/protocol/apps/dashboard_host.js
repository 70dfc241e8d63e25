// The host's side of MCP Apps (specification 2026-01-26): JSON-RPC 2.0 by postMessage with the frame around this page.

const APPS_VERSION = "2026-01-26";

/**
 * Opens the conversation. `on` holds a function per notification, keyed by the last part of its method's name
 * ("tool-result"); the answer to `ui/initialize` comes back once the host has been told that it arrived.
 */
async function connectToHost(on) {
  const host = window.parent;
  const waiting = new Map();
  let lastId = 0;

  // The frame's own origin is opaque, so the host's cannot be known; nothing that is sent is a secret.
  const send = (message) => host.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const notify = (method, params = {}) => send({ method, params });
  const request = (method, params = {}) => new Promise((resolve, reject) => {
    lastId += 1;
    waiting.set(lastId, { resolve, reject });
    send({ id: lastId, method, params });
  });

  function settle({ id, result, error }) {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.reject(new Error(String(error.message ?? "The host refused the request.")));
    else call?.resolve(result);
  }

  function answer({ id, method }) {
    if (method === "ping") send({ id, result: {} });
    else if (method === "ui/resource-teardown") {
      on.teardown();
      send({ id, result: {} });
    } else send({ id, error: { code: -32601, message: `This page does not answer ${method}` } });
  }

  window.addEventListener("message", ({ source, data }) => {
    if (source !== host || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) settle(data);
    else if (data.id !== undefined) answer(data);
    else on[data.method.replace("ui/notifications/", "")]?.(data.params ?? {});
  });

  const about = await request("ui/initialize", {
    protocolVersion: APPS_VERSION,
    appInfo: { name: "zava-dashboard", title: "Zava sales dashboard", version: "1" },
    appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
  });
  notify("ui/notifications/initialized");
  return { context: about.hostContext ?? {}, can: about.hostCapabilities ?? {}, notify, request };
}

/** Tells the host how high the page is, now and whenever that changes. Returns what ends it. */
function reportHeight(host) {
  let last = 0;
  const observer = new ResizeObserver(() => {
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    if (height === last) return;
    last = height;
    host.notify("ui/notifications/size-changed", { height });
  });
  observer.observe(document.documentElement);
  return () => observer.disconnect();
}
