// The runner alone: `node --test crates/functions/glue`, with the packages of suites/node.
"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { after, test } = require("node:test");

const packages = path.join(__dirname, "../../../suites/node/node_modules");
const skip = fs.existsSync(path.join(packages, "firebase-functions")) ? false : "`./x setup` installs the packages";
const children = [];
after(() => children.forEach((child) => child.kill("SIGKILL")));

function start(code, main = "index.js") {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "hearth-runner-"));
  fs.symlinkSync(packages, path.join(folder, "node_modules"));
  fs.writeFileSync(path.join(folder, main), code);
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({ main }));
  const socket = path.join(folder, "s.sock");
  const env = { ...process.env, HEARTH_SOCKET: socket, GCLOUD_PROJECT: "demo-p", FIREBASE_CONFIG: '{"projectId":"demo-p"}' };
  const child = spawn("node", [path.join(__dirname, "runner.js")], { cwd: folder, env, stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  return { socket, child, exited: new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code))) };
}

function ask({ socket }, target, { body, headers = {}, url = "/", kind = "http" } = {}) {
  const ours = target ? { "x-hearth-target": target, "x-hearth-kind": kind } : {};
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath: socket, path: url, method: body ? "POST" : "GET", headers: { ...headers, ...ours } }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode, text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function ready(runner) {
  for (const until = Date.now() + 15_000; Date.now() < until; ) {
    try {
      return JSON.parse((await ask(runner, null, { url: "/__/health" })).text);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error("it is not ready");
}

const json = { "content-type": "application/json" };

test("calls reach the export that is named, with what came in", { skip }, async () => {
  const runner = start(`
    exports.group = { echo: (req, res) => res.json({ url: req.url, raw: req.rawBody.toString(), body: req.body, own: req.headers["x-hearth-target"] ?? null }) };
    exports.fails = () => { throw new Error("on purpose"); };
    exports.event = (data, context) => { if (context.resource !== "r" || data !== 1) throw new Error("not so"); };
  `);
  assert.deepEqual((await ready(runner)).outdated, []);
  const echoed = await ask(runner, "group.echo", { body: '{"a":1}', headers: json, url: "/x?y" });
  assert.deepEqual(JSON.parse(echoed.text), { url: "/x?y", raw: '{"a":1}', body: { a: 1 }, own: null });
  assert.equal((await ask(runner, "group.none")).status, 404);
  const malformed = await ask(runner, "group.echo", { body: "{", headers: json });
  assert.deepEqual([malformed.status, JSON.parse(malformed.text).error.status], [400, "INVALID_ARGUMENT"]);
  const failed = await ask(runner, "fails");
  assert.deepEqual([failed.status, failed.text], [500, "Internal Server Error"]);
  const body = JSON.stringify({ data: 1, context: { eventType: "e", resource: { name: "r" } } });
  assert.equal((await ask(runner, "event", { body, headers: json, kind: "event" })).status, 200);
});

test("modules are loaded, too", { skip }, async () => {
  const runner = start("export const hello = (req, res) => res.send('hi');", "index.mjs");
  await ready(runner);
  assert.equal((await ask(runner, "hello")).text, "hi");
});

test("code of the first generation at the package's root is found", { skip }, async () => {
  const runner = start(`const functions = require("firebase-functions");\nexports.a = functions.https.onCall(async (data, context) => 1);`);
  assert.deepEqual((await ready(runner)).outdated, ["index.js:2"]);
});

test("it ends with its input, whatever the code does", { skip }, async () => {
  const runner = start("exports.spin = () => { for (;;); };");
  await ready(runner);
  ask(runner, "spin").catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 200));
  runner.child.stdin.end();
  assert.equal(await runner.exited, "SIGKILL");
});
