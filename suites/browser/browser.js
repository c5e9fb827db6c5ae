// Chromium for the tests: found or reported missing, and pages that have loaded the SDK.

import { build } from "esbuild";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Packages of suites/node: both suites test one version of the SDK. */
export const require = createRequire(new URL("../node/package.json", import.meta.url));

/** The browser's program; `./x test browser` finds it. */
const program = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";

let browser;
let server;
let origin;

before(async () => {
  const bundle = await build({
    entryPoints: [here("page.js")],
    bundle: true,
    write: false,
    format: "iife",
    nodePaths: [here("../node/node_modules")],
    logLevel: "error",
  });
  const [{ text }] = bundle.outputFiles;
  server = createServer((request, answer) => {
    const isScript = request.url === "/page.js";
    answer.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    answer.end(isScript ? text : "<!doctype html><script src=/page.js></script>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Another origin than the server's: requests are cross-origin, as in every web app.
  origin = `http://localhost:${server.address().port}`;
  browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** A profile of its own: its tabs share storage, others do not. */
export async function profile(options = {}) {
  return browser.newContext(options);
}

/** A tab that has loaded the SDK, and the WebChannel requests that it makes. */
export async function tab(context) {
  const page = await (context ?? (await profile())).newPage();
  const channels = [];
  page.on("request", (request) => {
    if (request.url().includes("/channel?")) {
      channels.push({ method: request.method(), query: new URL(request.url()).searchParams });
    }
  });
  const failures = [];
  page.on("pageerror", (error) => failures.push(error));
  await page.goto(origin);
  return Object.assign(page, { channels, failures });
}

/** Whether the page receives over long polls. */
export function isPolling(page) {
  return page.channels.findLast(({ query }) => query.get("RID") === "rpc")?.query.get("CI") === "1";
}
