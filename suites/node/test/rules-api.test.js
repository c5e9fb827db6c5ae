// Rules as they are deployed: unmodified firebase-admin releases them, production keeps them and says who did; the emulator's
// routes for rules and coverage, as @firebase/rules-unit-testing and people use them.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import { after } from "node:test";

import { assertFails, assertSucceeds, initializeTestEnvironment } from "@firebase/rules-unit-testing";
import { cert, initializeApp } from "firebase-admin/app";
import { getSecurityRules } from "firebase-admin/security-rules";
import { doc, runTransaction, setLogLevel } from "firebase/firestore";

import { fails } from "../clients.js";
import { againstPeer, CLOSED, dev, folder, hearthTest, log, putRules, run, start, test } from "../hearth.js";

setLogLevel("silent");
const PROJECT = "acme-rules";
const rules = (path, condition) => `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /${path}/{id} { allow read: if ${condition}; }
  }
}`;
const OPEN_PUBLIC = rules("public", "id != 'hidden'");
const BROKEN = "service cloud.firestore { match /a/{b} { allow read: if ; } }";

/** An agent that leads Google's host names to a port here. */
function agentTo(port) {
  const agent = new https.Agent({ keepAlive: false });
  agent.createConnection = () => net.connect(port, "127.0.0.1");
  return agent;
}

const status = async (port, path, bearer, project = PROJECT) => {
  const url = `http://127.0.0.1:${port}/v1/projects/${project}/databases/(default)/documents/${path}`;
  return (await fetch(url, { headers: bearer ? { authorization: `Bearer ${bearer}` } : {} })).status;
};

// --- production ---------------------------------------------------------------------------------------------------------

const home = folder({ "firebase.json": { firestore: { rules: "firestore.rules" } }, "firestore.rules": CLOSED });
const data = join(home, "data");
const keyPath = join(home, "key.json");
const serving = ["serve", home, "--listen", "127.0.0.1:0", "--data", data, "--project", PROJECT, "--json"];
let server;
let securityRules;

async function serve() {
  server = await start(serving);
  const httpAgent = agentTo(server.ready.ports.serve);
  const app = initializeApp({ credential: cert(keyPath, httpAgent), httpAgent, projectId: PROJECT }, `admin-${Date.now()}`);
  securityRules = getSecurityRules(app);
}
if (!againstPeer) {
  const created = run(["service-account", "create", "deployer", "--data", data, "--project", PROJECT]);
  assert.equal(created.status, 0, created.stderr);
  writeFileSync(keyPath, created.stdout);
  await serve();
}
const port = () => server.ready.ports.serve;

hearthTest("an unmodified Admin SDK releases rules, and they decide at once", async () => {
  assert.equal(await status(port(), "public/a"), 403, "the file's rules are closed");
  await fails("security-rules/not-found", () => securityRules.getFirestoreRuleset());
  const ruleset = await securityRules.releaseFirestoreRulesetFromSource(OPEN_PUBLIC);
  assert.match(ruleset.name, /^[0-9a-f-]{36}$/);
  assert.ok(Date.parse(ruleset.createTime) > Date.now() - 60_000);
  assert.equal(await status(port(), "public/a"), 404, "the document is not there, and one may know");
  assert.equal(await status(port(), "public/hidden"), 403);
  const current = await securityRules.getFirestoreRuleset();
  assert.equal(current.source[0].content, OPEN_PUBLIC);
});

hearthTest("broken rules are refused with their place, and the good ones stay", async () => {
  const refused = securityRules.releaseFirestoreRulesetFromSource(BROKEN);
  await assert.rejects(refused, (error) => {
    assert.equal(error.code, "security-rules/invalid-argument");
    assert.match(error.message, /L1:\d+/);
    return true;
  });
  assert.equal(await status(port(), "public/a"), 404);
});

hearthTest("rulesets are listed, read, released again and deleted", async () => {
  const before = (await securityRules.getFirestoreRuleset()).name;
  const file = securityRules.createRulesFileFromSource("firestore.rules", CLOSED);
  const closed = await securityRules.createRuleset(file);
  const { rulesets } = await securityRules.listRulesetMetadata();
  assert.deepEqual(rulesets.slice(0, 2).map(({ name }) => name), [closed.name, before], "the newest first");
  await securityRules.releaseFirestoreRuleset(closed.name);
  assert.equal(await status(port(), "public/a"), 403);
  await securityRules.releaseFirestoreRuleset(before);
  assert.equal(await status(port(), "public/a"), 404);
  await securityRules.deleteRuleset(closed.name);
  await fails("security-rules/not-found", () => securityRules.getRuleset(closed.name));
});

hearthTest("who deployed is on record", async () => {
  const releases = (events) => events.filter(({ verb, version }) => verb === "CreateRelease" && version);
  const [event] = releases(await log(data, [], (events) => releases(events).length > 0));
  assert.equal(event.who, `deployer@${PROJECT}.iam.gserviceaccount.com`);
  assert.deepEqual([event.service, event.path, event.verdict], ["rules", "/releases/cloud.firestore", "admin"]);
  assert.match(event.details.ruleset, /^[0-9a-f-]{36}$/);
});

hearthTest("without an administrator's credential nothing is told or changed", async () => {
  const root = `http://127.0.0.1:${port()}/firebaserules.googleapis.com/v1/projects/${PROJECT}`;
  for (const [method, path] of [
    ["GET", "/rulesets"],
    ["POST", "/rulesets"],
    ["GET", "/releases"],
    ["PATCH", "/releases/cloud.firestore"],
    ["POST", ":test"],
  ]) {
    for (const authorization of [undefined, "Bearer owner"]) {
      const headers = authorization ? { authorization } : {};
      const answer = await fetch(root + path, { method, headers, body: method === "GET" ? undefined : "{}" });
      assert.equal(answer.status, authorization ? 401 : 403, `${method} ${path}`);
    }
  }
  for (const verb of ["ruleCoverage", "ruleCoverage.html"]) {
    const answer = await fetch(`http://127.0.0.1:${port()}/emulator/v1/projects/${PROJECT}:${verb}`);
    assert.equal(answer.status, 404, "there is no such thing in production");
  }
});

hearthTest("released rules are in force again after a restart, before the file's", async () => {
  await server.stop();
  await serve();
  assert.equal(await status(port(), "public/a"), 404);
  assert.equal((await securityRules.getFirestoreRuleset()).source[0].content, OPEN_PUBLIC);
  await server.stop("SIGKILL");
  await serve();
  assert.equal(await status(port(), "public/a"), 404);
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

// --- dev ----------------------------------------------------------------------------------------------------------------

const hearth = await dev({ rules: CLOSED });
const [host, devPort] = hearth.firestore.split(":");
after(() => hearth.stop());

hearthTest("in dev the same code deploys to the Firestore port", async () => {
  const credential = { getAccessToken: async () => ({ access_token: "owner", expires_in: 3600 }) };
  const app = initializeApp({ credential, httpAgent: agentTo(devPort), projectId: hearth.project }, "dev-rules");
  await getSecurityRules(app).releaseFirestoreRulesetFromSource(OPEN_PUBLIC);
  assert.equal(await status(devPort, "public/a", undefined, hearth.project), 404);
  assert.equal(await status(devPort, "other/a", undefined, hearth.project), 403);
});

const coverage = async (project, suffix = "") =>
  fetch(`http://${hearth.firestore}/emulator/v1/projects/${project}:ruleCoverage${suffix}`);

const environmentOf = (projectId, text) =>
  initializeTestEnvironment({ projectId, firestore: { host, port: Number(devPort), rules: text } });

test("coverage says which expressions the tests evaluated, and with which values", async () => {
  const project = "demo-coverage";
  const text = rules("notes", "request.auth.uid == id && request.auth.token.plan == 'gold'");
  const environment = await environmentOf(project, text);
  const read = (context) => runTransaction(context.firestore(), (transaction) => transaction.get(doc(context.firestore(), "notes/maria")));
  await assertSucceeds(read(environment.authenticatedContext("maria", { plan: "gold" })));
  await assertFails(read(environment.authenticatedContext("jose", { plan: "gold" })));
  const report = await (await coverage(project)).json();
  assert.equal(report.rules.files[0].content, text);
  const at = text.indexOf("request.auth.uid");
  const find = (nodes, end) =>
    (nodes ?? []).map((node) => {
      const { currentOffset, endOffset } = node.sourcePosition;
      return currentOffset === at && endOffset === at + end - 1 ? node : find(node.children, end);
    }).find(Boolean);
  const count = (node, value) => node.values.find((seen) => JSON.stringify(seen.value) === JSON.stringify(value))?.count;
  const comparison = find(report.report, "request.auth.uid == id".length);
  assert.ok(count(comparison, { boolValue: true }) >= 1 && count(comparison, { boolValue: false }) >= 1);
  const uid = find(report.report, "request.auth.uid".length);
  assert.ok(count(uid, { stringValue: "maria" }) >= 1 && count(uid, { stringValue: "jose" }) >= 1);
  const page = await coverage(project, ".html");
  assert.match(page.headers.get("content-type"), /^text\/html/);
  assert.match(await page.text(), /request/);
  await environment.cleanup();
});

test("loading rules again begins anew", async () => {
  const project = "demo-anew";
  const text = rules("notes", "id == 'x'");
  const environment = await environmentOf(project, text);
  const context = environment.unauthenticatedContext();
  const read = () => runTransaction(context.firestore(), (transaction) => transaction.get(doc(context.firestore(), "notes/x")));
  await assertSucceeds(read());
  const values = async () => (await (await coverage(project)).json()).report[0].values ?? [];
  assert.notEqual((await values()).length, 0);
  assert.ok((await putRules({ ...hearth, project }, text)).ok);
  assert.deepEqual(await values(), []);
  await environment.cleanup();
});

test("rules that do not compile fail the environment with the place of the error", async () => {
  await assert.rejects(environmentOf("demo-broken", BROKEN), /1:|line/i);
});
