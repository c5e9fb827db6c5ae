// Serves the functions of the folder it is started in, on the unix socket that HEARTH_SOCKET names. Run by Hearth, one for
// each codebase. Headers of a call: `x-hearth-target` (the export, with dots), `x-hearth-kind` (`http` | `event` |
// `cloudevent`), `x-hearth-invocation` (its credential). GET /__/health answers once the code is loaded. It ends with its standard input, so with Hearth.
"use strict";

// First: what it changes must be so before anything else is loaded.
const { onBehalfOf } = require("./house.js");

const { createRequire } = require("node:module");
const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { Worker } = require("node:worker_threads");

const source = process.cwd();
const ofUser = createRequire(path.join(source, "package.json"));
const BODY_LIMIT = "32mb";

// In a thread of its own: code that never returns must not keep the process. Its input is read without blocking: a thread that
// is blocked would keep `process.exit` waiting.
new Worker(
  "const { Socket } = require('node:net'); const end = () => process.kill(process.pid, 'SIGKILL');" +
    "new Socket({ fd: 0, readable: true, writable: false }).on('end', end).on('error', end).resume();",
  { eval: true },
).unref();

async function load() {
  try {
    return ofUser(source);
  } catch (error) {
    if (error.code !== "ERR_REQUIRE_ESM" && error.code !== "ERR_REQUIRE_ASYNC_MODULE") {
      throw error;
    }
    return import(pathToFileURL(ofUser.resolve(source)).href);
  }
}

/** The package.json of a package, from the file that it resolves to. */
function packageOf(file) {
  for (let folder = path.dirname(file); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const text = path.join(folder, "package.json");
    if (fs.existsSync(text)) {
      const read = JSON.parse(fs.readFileSync(text, "utf8"));
      if (read.name === "firebase-functions") {
        return read;
      }
    }
  }
  return { version: "0" };
}

/** Places that hand `(data, context)` to a callable of the package's root, whose handlers take one request since version 6. */
function outdated(version) {
  if (Number.parseInt(version, 10) < 6) {
    return [];
  }
  const found = [];
  for (const file of Object.keys(require.cache)) {
    if (!file.startsWith(source + path.sep) || file.includes(`${path.sep}node_modules${path.sep}`)) {
      continue;
    }
    const text = fs.readFileSync(file, "utf8");
    const imported = /(\w+)\s*=\s*(?:__importStar\(|__importDefault\()?require\(["']firebase-functions["']\)/.exec(text);
    if (!imported) {
      continue;
    }
    const call = new RegExp(`\\b${imported[1]}(?:\\.default)?\\.https\\.onCall\\(\\s*(?:async\\s*)?(?:function\\s*\\w*\\s*)?\\(\\s*\\w+\\s*,\\s*context\\b`, "g");
    for (const match of text.matchAll(call)) {
      found.push(`${path.relative(source, file)}:${text.slice(0, match.index).split("\n").length}`);
    }
  }
  return found;
}

const isNothing = (value) => value === undefined || value === null;

function event(body) {
  const { data, context } = body;
  const resource = context.resource;
  const isStorage = String(context.eventType).startsWith("google.storage.");
  return [data, { ...context, resource: resource?.name && !isStorage ? resource.name : resource }];
}

function cloudEvent(request) {
  if (!request.headers["ce-type"]) {
    return request.body;
  }
  const made = { data: request.body };
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith("ce-")) {
      made[name.slice(3)] = value;
    }
  }
  return made;
}

async function call(exports, request, response) {
  const { "x-hearth-target": target, "x-hearth-kind": kind, "x-hearth-invocation": credential } = request.headers;
  for (const name of ["x-hearth-target", "x-hearth-kind", "x-hearth-invocation"]) {
    delete request.headers[name];
  }
  const run = String(target)
    .split(".")
    .reduce((at, name) => (isNothing(at) ? at : at[name]), exports);
  if (typeof run !== "function") {
    response.status(404).send(`The code exports no function \`${target}\`.`);
    return;
  }
  if (kind === "http") {
    await onBehalfOf(credential, () => run(request, response));
    return;
  }
  await onBehalfOf(credential, () => (kind === "event" ? run(...event(request.body)) : run(cloudEvent(request))));
  response.json({ status: "acknowledged" });
}

async function main() {
  const entry = ofUser.resolve("firebase-functions");
  const { version } = packageOf(entry);
  const express = createRequire(entry)("express");
  const loaded = await load();
  const exports = isNothing(loaded.default) ? loaded : { ...loaded.default, ...loaded };
  const app = express();
  app.disable("x-powered-by");
  app.set("trust proxy", true);
  const verify = (request, _response, bytes) => (request.rawBody = bytes);
  app.get("/__/health", (request, response, next) =>
    request.headers["x-hearth-target"] ? next() : response.json({ version, outdated: outdated(version) }),
  );
  app.use(
    express.json({ type: ["application/json", "application/*+json"], limit: BODY_LIMIT, verify, strict: false }),
    express.text({ type: "text/*", limit: BODY_LIMIT, verify }),
    express.urlencoded({ extended: true, limit: BODY_LIMIT, verify }),
    express.raw({ type: "*/*", limit: BODY_LIMIT, verify }),
  );
  app.use((request, response, next) => call(exports, request, response).catch(next));
  app.use((error, _request, response, _next) => {
    const isClients = error.status >= 400 && error.status < 500 && error.expose;
    if (!isClients) {
      console.error(error);
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const said = isClients ? { message: "Bad Request", status: "INVALID_ARGUMENT" } : { message: "INTERNAL", status: "INTERNAL" };
    response.status(isClients ? error.status : 500).json({ error: said });
  });
  const server = app.listen(process.env.HEARTH_SOCKET);
  server.requestTimeout = 0;
  server.headersTimeout = 0;
}

process.on("unhandledRejection", (error) => console.error("Unhandled rejection:", error));
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
