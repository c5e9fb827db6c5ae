// The Realtime Database's REST API: values, queries, conditions, streams of events, settings. What clients compare is compared
// letter by letter.

import assert from "node:assert/strict";
import { after } from "node:test";

import { deleteApp, initializeApp } from "firebase-admin/app";
import { getDatabase } from "firebase-admin/database";

import { CLOSED, dev, eventually, hearthTest as test } from "../hearth.js";
import { events, mockToken, owner, putRules, rest } from "../realtime.js";

const OPEN = { ".read": true, ".write": true };
const hearth = await dev({ rules: CLOSED });
const { database } = hearth;
let count = 0;
after(() => hearth.stop());

async function fresh(rules = OPEN) {
  const ns = `rest-${++count}`;
  assert.equal((await putRules(database, rules, ns)).status, 200);
  return ns;
}

const q = (text) => encodeURIComponent(text);

test("values are written, read and deleted, as JSON of the right type", async () => {
  const ns = await fresh();
  const call = (method, path, body, more) => rest(database, path, { method, ns, body, ...more });
  const put = await call("PUT", "/a.json", { b: 1, c: { d: "x" }, t: { ".sv": "timestamp" } });
  assert.equal(put.status, 200);
  assert.equal(put.headers.get("content-type"), "application/json; charset=utf-8");
  assert.ok(Math.abs(JSON.parse(put.text).t - Date.now()) < 5_000, "as it was stored");
  assert.equal((await call("GET", "/a/b.json")).text, "1");
  assert.equal((await call("GET", "/a/b/.json")).text, "1");
  const made = JSON.parse((await call("POST", "/l.json", "p")).text).name;
  assert.match(made, /^-[-\w]{19}$/);
  assert.equal((await call("GET", `/l/${made}.json`)).text, '"p"');
  assert.equal((await call("PATCH", "/a.json", { "c/d": null, "e/f": 2 })).text, '{"c/d":null,"e/f":2}');
  assert.equal((await call("GET", "/a/c.json")).text, "null");
  assert.equal((await call("DELETE", "/a.json")).text, "null");
  assert.equal((await call("PATCH", "/l.json", null)).text, "null", "the CLI deletes so");
  assert.equal((await call("GET", "/.json")).text, "null");
});

test("a method is overridden in a POST, never in a link", async () => {
  const ns = await fresh();
  const override = "&x-http-method-override=PUT";
  await rest(database, "/a.json", { method: "POST", ns, body: 1, query: override });
  assert.equal((await rest(database, "/a.json", { ns })).text, "1");
  await rest(database, "/a.json", { method: "POST", ns, headers: { "x-http-method-override": "DELETE" } });
  assert.equal((await rest(database, "/a.json", { ns })).text, "null");
  await rest(database, "/a.json", { method: "PUT", ns, body: 2 });
  assert.equal((await rest(database, "/a.json", { ns, query: "&x-http-method-override=DELETE" })).text, "2");
});

test("arrays appear where most keys are numbers, and priorities only when they are asked for", async () => {
  const ns = await fresh();
  const stored = async (body) => {
    await rest(database, "/a.json", { method: "PUT", ns, body });
    return (await rest(database, "/a.json", { ns })).text;
  };
  assert.equal(await stored({ 1: 5 }), "[null,5]");
  assert.equal(await stored({ 0: "a", 2: "c" }), '["a",null,"c"]');
  assert.equal(await stored({ 0: "a", 4: "c" }), '{"0":"a","4":"c"}');
  assert.equal(await stored({ "01": 1 }), '{"01":1}');
  assert.equal(await stored(["x", null, "z"]), '["x",null,"z"]');
  assert.equal(await stored({ ".value": 1, ".priority": 2 }), "1");
  assert.equal((await rest(database, "/a.json", { ns, query: "&format=export" })).text, '{".value":1,".priority":2}');
  assert.equal((await rest(database, "/a/.priority.json", { ns })).text, "2");
  await rest(database, "/a/.priority.json", { method: "PUT", ns, body: "p" });
  assert.equal((await rest(database, "/a/.priority.json", { ns })).text, '"p"');
});

test("an answer is written as it is wanted", async () => {
  const ns = await fresh();
  await rest(database, "/a.json", { method: "PUT", ns, body: { b: { c: 1 } } });
  const get = (query) => rest(database, "/a.json", { ns, query });
  assert.equal((await get("&print=pretty")).text, '{\n  "b" : {\n    "c" : 1\n  }\n}');
  const silent = await get("&print=silent");
  assert.deepEqual([silent.status, silent.text], [204, ""]);
  assert.equal((await rest(database, "/a.json", { method: "PUT", ns, body: 1, query: "&print=silent" })).status, 204);
  await rest(database, "/a.json", { method: "PUT", ns, body: { b: { c: 1 }, d: 2 } });
  assert.equal((await get("&shallow=true")).text, '{"b":true,"d":true}');
  assert.equal((await rest(database, "/a/d.json", { ns, query: "&shallow=true" })).text, "2");
  assert.equal((await rest(database, "/x.json", { ns, query: "&shallow=true" })).text, "null");
  const script = await get("&callback=app.got");
  assert.equal(script.headers.get("content-type"), "application/javascript; charset=utf-8");
  assert.equal(script.text, '/**/app.got({"b":{"c":1},"d":2});');
  assert.match((await get("&download=all.json")).headers.get("content-disposition"), /attachment; filename="all\.json"/);
});

test("the CLI pages through keys", async () => {
  const ns = await fresh();
  const body = Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`k${n}`, { deep: n }]));
  await rest(database, "/l.json", { method: "PUT", ns, body });
  const page = async (query) => JSON.parse((await rest(database, "/l.json", { ns, query: `&shallow=true${query}` })).text);
  assert.deepEqual(await page("&limitToFirst=2"), { k0: true, k1: true });
  assert.deepEqual(await page("&limitToFirst=2&startAfter=k1"), { k2: true, k3: true });
  assert.deepEqual(await page("&limitToFirst=2&startAfter=k4"), null);
  assert.equal((await rest(database, "/l.json", { ns, query: "&shallow=true&orderBy=x" })).status, 400);
});

test("queries and what is wrong with them", async () => {
  const ns = await fresh({ ...OPEN, l: { ".indexOn": ["n", ".value"] } });
  await rest(database, "/l.json", { method: "PUT", ns, body: { a: { n: 1 }, b: { n: 2 }, c: { n: 2 }, d: { m: 0 } } });
  const get = (query) => rest(database, "/l.json", { ns, query });
  const keys = async (query) => Object.keys(JSON.parse((await get(query)).text) ?? {}).join("");
  assert.equal(await keys(`&orderBy=${q('"n"')}&startAt=2`), "bc");
  assert.equal(await keys(`&orderBy=${q('"n"')}&equalTo=2&limitToFirst=1`), "b");
  assert.equal(await keys(`&orderBy=${q('"n"')}&startAfter=1&limitToLast=1`), "c");
  assert.equal(await keys(`&orderBy=${q('"n"')}&equalTo=2,${q('"c"')}`), "c");
  assert.equal(await keys(`&orderBy=${q('"$key"')}&startAt=${q('"b"')}&endBefore=${q('"d"')}`), "bc");
  assert.equal(await keys(`&orderBy=${q('"$priority"')}&limitToFirst=2`), "ab");
  for (const [query, text] of [
    ["&limitToFirst=1", "orderBy must be defined when other query parameters are defined"],
    ["&orderBy=n", "orderBy must be a valid JSON encoded path"],
    [`&orderBy=${q('"n"')}&startAt=[1]`, "Constraint index field must be a JSON primitive"],
    [`&orderBy=${q('"m"')}`, 'Index not defined, add ".indexOn": "m", for path "/l", to the rules'],
  ]) {
    const { status, text: body } = await get(query);
    assert.deepEqual([status, JSON.parse(body)], [400, { error: text }], query);
  }
  for (const query of ["&timeout=3", "&timeout=16min", "&print=x", "&format=x", "&callback=a(b)"]) {
    assert.equal((await get(query)).status, 400, query);
  }
  assert.equal((await get("&timeout=3s")).status, 200);
});

test("conditions: ETags, if-match, if-none-match", async () => {
  const ns = await fresh();
  const call = (method, headers, body) => rest(database, "/a.json", { method, ns, headers, body });
  const etag = async () => (await call("GET", { "x-firebase-etag": "true" })).headers.get("etag");
  assert.equal(await etag(), "null_etag");
  assert.equal((await call("PUT", { "if-match": "null_etag" }, 10)).status, 200);
  assert.equal((await call("GET", {})).headers.get("etag"), null, "only when it is asked for");
  const ten = await etag();
  const stale = await call("PUT", { "if-match": "null_etag" }, 11);
  assert.deepEqual([stale.status, stale.text, stale.headers.get("etag")], [412, "10", ten]);
  const put = await call("PUT", { "if-match": ten, "x-firebase-etag": "true" }, 11);
  assert.deepEqual([put.status, put.headers.get("etag")], [200, await etag()]);
  assert.equal((await call("GET", { "if-none-match": await etag() })).status, 304);
  assert.equal((await call("GET", { "if-none-match": ten })).status, 200);
  assert.equal((await call("DELETE", { "if-match": ten })).status, 412);
  assert.equal((await call("DELETE", { "if-match": await etag() })).status, 200);
  for (const [method, headers] of [["GET", { "if-match": "x" }], ["POST", { "if-match": "x" }], ["PATCH", { "if-match": "x" }], ["PATCH", { "x-firebase-etag": "true" }]]) {
    const { status, text } = await call(method, headers, method === "GET" ? undefined : { a: 1 });
    assert.equal(status, 400, method);
    assert.match(text, /not supported/);
  }
});

test("a denial is 401 with the words that SDKs map, and says why beside them", async () => {
  const ns = await fresh({ ".read": "auth.uid == 'ann'" });
  const { status, text } = await rest(database, "/a.json", { ns });
  assert.equal(status, 401);
  const { error, reason } = JSON.parse(text);
  assert.equal(error, "Permission denied");
  assert.match(reason, /auth\.uid == 'ann'/);
  const auth = async (query, headers = {}) => (await rest(database, "/a.json", { ns, query, headers })).status;
  assert.equal(await auth(`&auth=${mockToken("ann")}`), 200);
  assert.equal(await auth(`&auth=${mockToken("bob")}`), 401);
  assert.equal(await auth("", owner), 200);
  assert.equal(await auth("&access_token=owner"), 200);
  assert.equal(await auth(`&auth_variable_override=${q('{"uid":"bob"}')}`, owner), 401);
  assert.equal(await auth(`&auth_variable_override=${q('{"uid":"ann"}')}`, owner), 200);
  assert.equal(await auth("&auth_variable_override=null", owner), 401);
  assert.equal(await auth("&auth_variable_override=x", owner), 400);
  const bad = await rest(database, "/a.json", { ns, query: "&auth=nonsense" });
  assert.deepEqual([bad.status, JSON.parse(bad.text).error], [401, "Could not parse auth token."]);
});

test("paths that are none", async () => {
  const ns = await fresh();
  const { status, text } = await rest(database, "/a", { ns });
  assert.deepEqual([status, JSON.parse(text).error], [404, "append .json to your request URI to use the REST API."]);
  for (const path of ["/a%2Fb.json", "/$a.json", "/a/%5B0%5D.json", "/a%23b.json", "/%00.json", "/a.b.json", "/.info/x.json", "/a/.settings/rules.json"]) {
    const { status, text } = await rest(database, path, { ns });
    assert.equal(status, 400, path);
    assert.match(text, /Invalid path: Invalid token in path/);
  }
  for (const body of ["", "{", "{'a':1}", '{"a.b":1}', '{".sv":"x"}', "NaN", '{".value":1,"a":2}']) {
    const put = await rest(database, "/a.json", { method: "PUT", ns, text: body });
    assert.equal(put.status, 400, body);
    assert.ok(JSON.parse(put.text).error.startsWith("Invalid data"), put.text);
  }
  assert.equal((await rest(database, "/.json", { ns })).text, "null", "nothing has changed");
});

test("without a name the project's own database is meant, and a host may name one", async () => {
  await rest(database, "/a.json", { method: "PUT", ns: `${hearth.project}-default-rtdb`, body: 7 });
  const answer = await fetch(`http://${database}/a.json`);
  assert.equal(await answer.text(), "7");
});

test("a stream hears what changes below it, as clients read it", async () => {
  const ns = await fresh();
  await rest(database, "/a.json", { method: "PUT", ns, body: { b: [1, 2] } });
  const stream = await events(database, "/a.json", { ns });
  assert.equal(stream.headers.get("content-type"), "text/event-stream; charset=utf-8");
  await eventually(() => stream.frames.length === 1, "what is there");
  await rest(database, "/a/c.json", { method: "PUT", ns, body: "x\ny" });
  await eventually(() => stream.frames.length === 2, "a put");
  await rest(database, "/a.json", { method: "PATCH", ns, body: { d: 1, "e/f": 2 } });
  await eventually(() => stream.frames.length === 3, "a patch");
  await rest(database, "/.json", { method: "PUT", ns, body: { a: 5 } });
  await eventually(() => stream.frames.length === 4, "a put above it");
  assert.deepEqual(stream.frames, [
    'event: put\ndata: {"path":"/","data":{"b":[1,2]}}',
    'event: put\ndata: {"path":"/c","data":"x\\ny"}',
    'event: patch\ndata: {"path":"/","data":{"d":1,"e/f":2}}',
    'event: put\ndata: {"path":"/","data":5}',
  ]);
  await rest(database, "/.json", { method: "PUT", ns, body: { a: 5 } });
  stream.end();
});

test("a stream ends when rules take its right away, and is not begun without one", async () => {
  const ns = await fresh();
  const stream = await events(database, "/a.json", { ns });
  await eventually(() => stream.frames.length === 1, "what is there");
  await putRules(database, { ".read": false }, ns);
  await eventually(() => stream.over, "the end");
  assert.equal(stream.frames.at(-1), 'event: cancel\ndata: "Permission denied."');
  const denied = await events(database, "/a.json", { ns });
  assert.equal(denied.status, 401);
});

test("rules keep their comments, and what is wrong with them is said with its place", async () => {
  const ns = await fresh();
  const rules = '{\n  // who\n  "rules": { ".read": "auth != null", /* all */ },\n}';
  assert.deepEqual(JSON.parse((await putRules(database, rules, ns)).text), { status: "ok" });
  const get = (query = "", headers = owner) => rest(database, "/.settings/rules.json", { ns, query, headers });
  assert.equal((await get()).text, rules);
  assert.deepEqual(JSON.parse((await get("&format=strict")).text), { rules: { ".read": "auth != null" } });
  assert.equal((await get("", {})).status, 401);
  const broken = await putRules(database, '{"rules":{".read":"auth.uid == "}}', ns);
  assert.equal(broken.status, 400);
  assert.match(JSON.parse(broken.text).error, /^\d+:\d+: /);
  assert.match(JSON.parse((await putRules(database, "invalid json {{", ns)).text).error, /Parse error/);
  assert.equal((await get()).text, rules, "the last good ones stay");
  const dry = await rest(database, "/.settings/rules.json", { method: "PUT", ns, query: "&dryRun=true", body: { rules: OPEN }, headers: owner });
  assert.equal(dry.status, 200);
  assert.equal((await get()).text, rules, "only tried");
});

test("writes have a size that may be set, for one or for all", async () => {
  const ns = await fresh();
  const setting = (method, body) => rest(database, "/.settings/defaultWriteSizeLimit.json", { method, ns, body, headers: owner });
  const leaves = (number) => Object.fromEntries(Array.from({ length: number }, (_, n) => [`k${n}`, 1]));
  const put = async (path, number, query = "") => (await rest(database, path, { method: "PUT", ns, body: leaves(number), query })).status;
  assert.equal((await setting("GET")).text, '"large"');
  assert.equal(await put("/a.json", 30_000, "&writeSizeLimit=tiny"), 400);
  assert.equal(await put("/a.json", 30_000), 200);
  assert.equal((await rest(database, "/.json", { method: "DELETE", ns, query: "&writeSizeLimit=tiny" })).status, 400, "what it deletes counts");
  assert.equal(await put("/b.json", 1, "&writeSizeLimit=huge"), 400);
  for (const wrong of ["tiny", "huge", 5]) {
    assert.equal((await setting("PUT", wrong)).status, 400, `${wrong}`);
  }
  assert.equal((await setting("PUT", "small")).text, '"small"');
  assert.equal((await setting("GET")).text, '"small"');
  assert.equal((await rest(database, "/.json", { method: "DELETE", ns, query: "&writeSizeLimit=unlimited" })).status, 200);
});

test("the CLI's own way to put rules on a loopback address", async () => {
  const ns = await fresh();
  const put = (hidden) =>
    fetch(`http://${database}/?ns=${ns}/.settings/rules.json${hidden}`, { method: "PUT", headers: owner, body: JSON.stringify({ rules: { ".read": "auth != null" } }) });
  assert.equal((await put("?dryRun=true")).status, 200);
  assert.equal((await rest(database, "/a.json", { ns })).status, 200, "not stored");
  assert.equal((await put("")).status, 200);
  assert.equal((await rest(database, "/a.json", { ns })).status, 401);
});

test("tools find databases and what their rules decided", async () => {
  const ns = await fresh({ ".read": "auth != null" });
  await rest(database, "/a.json", { method: "PUT", ns, body: 1, headers: owner });
  await rest(database, "/a.json", { ns });
  const names = JSON.parse((await rest(database, "/.inspect/databases.json", { ns })).text);
  assert.ok(names.some(({ name }) => name === ns));
  const coverage = await rest(database, "/.inspect/coverage.json", { ns });
  assert.equal(coverage.status, 200);
  assert.match(coverage.text, /auth != null/);
  assert.match((await rest(database, "/.inspect/coverage", { ns })).text, /<!DOCTYPE html>/i);
});

test("the Admin SDK: values, its rules client with a credential of its own, and overrides", async () => {
  const ns = await fresh();
  process.env.FIREBASE_DATABASE_EMULATOR_HOST = database;
  // The rules client shows the app's own credential even to an emulator.
  const credential = { getAccessToken: async () => ({ access_token: "ya29.real", expires_in: 3600 }) };
  const admin = (name, more) => initializeApp({ credential, projectId: hearth.project, databaseURL: `http://${database}?ns=${ns}`, ...more }, `${ns}-${name}`);
  const apps = [admin("plain"), admin("nobody", { databaseAuthVariableOverride: null }), admin("ann", { databaseAuthVariableOverride: { uid: "ann" } })];
  const [plain, nobody, ann] = apps.map((app) => getDatabase(app));
  const rules = '{"rules": { /* only hers */ ".write": "auth.uid == \'ann\'" }}';
  await plain.setRules(rules);
  assert.equal(await plain.getRules(), rules);
  assert.deepEqual(await plain.getRulesJSON(), { rules: { ".write": "auth.uid == 'ann'" } });
  await assert.rejects(plain.setRules("{"), /.+/);
  await plain.ref("a").set(1);
  await ann.ref("a").set(2);
  await assert.rejects(nobody.ref("a").set(3), /PERMISSION_DENIED/);
  assert.equal((await plain.ref("a").once("value")).val(), 2);
  await Promise.all(apps.map(deleteApp));
});

test("a browser may read the ETag", async () => {
  const ns = await fresh();
  const { headers } = await rest(database, "/a.json", { ns, headers: { origin: "http://localhost:5173", "x-firebase-etag": "true" } });
  assert.equal(headers.get("access-control-allow-origin"), "http://localhost:5173");
  assert.match(headers.get("access-control-expose-headers"), /ETag/i);
});
