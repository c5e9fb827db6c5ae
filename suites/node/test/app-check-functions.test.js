// App Check at functions: callables that enforce it, guards that require or consume a token, and what the code gets to see.

import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";

import { deleteApp, initializeApp } from "firebase/app";
import { CustomProvider, initializeAppCheck } from "firebase/app-check";
import { connectFunctionsEmulator, getFunctions, httpsCallable } from "firebase/functions";

import { dev, folder, hearthTest as test, log, repository, run } from "../hearth.js";

const PROJECT = "demo-attested-calls";
const APP = "1:12345:web:0123456789abcdef";
const CODE = `
const { onCall, onRequest } = require("firebase-functions/v2/https");
const app = (request) => ({ app: request.app?.appId ?? null });
exports.open = onCall(app);
exports.strict = onCall({ enforceAppCheck: true }, app);
exports.guarded = onRequest((request, response) => response.json({ sees: request.get("x-firebase-appcheck") !== undefined }));
exports.once = onCall(app);
exports.named = onRequest((request, response) => response.send("named"));
`;
const TOML = `
[app-check]
functions = "unenforced"
[functions.guarded]
app-check = "required"
[functions.once]
app-check = "consume"
[functions.named]
require = "app.id == '${APP}'"
`;
const path = folder({ "firebase.json": { functions: { source: "functions" } }, ".firebaserc": { projects: { default: PROJECT } }, "hearth.toml": TOML });
const source = join(path, "functions");
mkdirSync(source);
writeFileSync(join(source, "package.json"), JSON.stringify({ main: "index.js" }));
writeFileSync(join(source, "index.js"), CODE);
symlinkSync(join(repository, "suites/node/node_modules"), join(source, "node_modules"));
const hearth = await dev({ path, args: [] });
const apps = [];
after(async () => {
  await Promise.all(apps.map(deleteApp));
  await hearth.stop();
});

const port = hearth.ready.ports.functions;
const url = (name) => `http://127.0.0.1:${port}/${PROJECT}/us-central1/${name}`;
const said = (...args) => JSON.parse(run(["app-check", ...args, "--data", join(path, ".hearth"), "--json"]).stdout);

async function token(limitedUse = false) {
  // Nobody has registered the app: dev takes any debug token of it.
  const to = `http://${hearth.auth}/v1/projects/${PROJECT}/apps/${APP}:exchangeDebugToken`;
  const body = JSON.stringify({ debugToken: crypto.randomUUID(), limitedUse });
  return (await (await fetch(to, { method: "POST", body })).json()).token;
}

function calls(provide) {
  const app = initializeApp({ projectId: PROJECT, apiKey: "k", appId: APP }, `calls-${apps.length}`);
  apps.push(app);
  if (provide) {
    const getToken = async () => ({ token: await provide(), expireTimeMillis: Date.now() + 3_600_000 });
    initializeAppCheck(app, { provider: new CustomProvider({ getToken }) });
  }
  const functions = getFunctions(app);
  connectFunctionsEmulator(functions, "127.0.0.1", port);
  return (name, options) => httpsCallable(functions, name, options)().then(({ data }) => data.app);
}

const refused = (call) => assert.rejects(call, ({ code }) => (assert.equal(code, "functions/unauthenticated"), true));
const forge = (text) => text.replace(/[^.]+$/, (signature) => (signature[0] === "A" ? "B" : "A") + signature.slice(1));

test("callables see the app of a token that was verified, and no other", async () => {
  assert.equal(await calls(token)("open"), APP);
  assert.equal(await calls(token)("strict"), APP);
  assert.equal(await calls()("open"), null);
  await refused(calls()("strict"));
  const forged = forge(await token());
  assert.equal(await calls(() => forged)("open"), null);
  await refused(calls(() => forged)("strict"));
});

test("a guard requires a token before the code is asked, or one that was not used before", async () => {
  const good = await token();
  const ask = async (name, sent) => (await fetch(url(name), { headers: sent ? { "x-firebase-appcheck": sent } : {} })).status;
  assert.deepEqual([await ask("guarded"), await ask("guarded", forge(good)), await ask("guarded", good)], [401, 401, 200]);
  assert.deepEqual([await ask("named"), await ask("named", good)], [403, 200]);
  const used = await token(true);
  const once = calls(() => used);
  assert.equal(await once("once"), APP);
  await refused(once("once"));
  await refused(calls()("once"));
  const owner = await fetch(url("guarded"), { headers: { authorization: "Bearer owner" } });
  assert.equal(owner.status, 200, "an administrator needs none");
  const denials = await log(join(path, ".hearth"), ["--service", "functions", "--verdict", "deny"], (all) => all.some(({ causes }) => causes[0].text.includes("consumed before")));
  assert.ok(denials.some(({ app_check }) => app_check === "invalid"));
});

test("enforced, no function answers a stranger", async () => {
  said("enforce", "functions", "enforced");
  await refused(calls()("open"));
  assert.equal(await calls(token)("open"), APP);
  assert.equal((await fetch(url("guarded"), { headers: { authorization: "Bearer owner" } })).status, 200);
  said("enforce", "functions", "off");
  assert.equal(await calls()("open"), null);
});
