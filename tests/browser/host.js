// A chat client's side of MCP Apps, by the official package: shows one app in a sandboxed frame and hands calls on.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const seen = { heights: [], calls: [], contexts: [], initialized: false };

/** `callTool` is what the test answers tool calls with; without it the host offers none. */
async function showApp(url, hostContext, offersTools) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.title = "Dashboard";
  document.body.append(frame);
  const capabilities = { updateModelContext: { text: {} }, ...(offersTools ? { serverTools: {} } : {}) };
  const bridge = new AppBridge(null, { name: "test host", version: "1" }, capabilities, { hostContext });
  bridge.oncalltool = async (params) => {
    seen.calls.push(params);
    return window.callTool(params);
  };
  bridge.onupdatemodelcontext = async (params) => {
    seen.contexts.push(params.content[0].text);
    return {};
  };
  bridge.onsizechange = ({ height }) => {
    seen.heights.push(height);
    frame.style.height = `${height}px`;
  };
  const initialized = new Promise((resolve) => { bridge.oninitialized = resolve; });
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.src = url;
  await initialized;
  seen.initialized = true;
  window.bridge = bridge;
}

Object.assign(window, { showApp, seen });
