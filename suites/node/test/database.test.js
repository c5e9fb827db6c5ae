// The Realtime Database over WebSockets: what the SDKs count on, message by message, and the SDKs themselves.
// The names say which trap of the protocol each is about.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after } from "node:test";

import { deleteApp, initializeApp } from "firebase/app";
import {
  child,
  connectDatabaseEmulator,
  endAt,
  get,
  getDatabase,
  goOffline,
  goOnline,
  increment,
  limitToLast,
  onChildAdded,
  onDisconnect,
  onValue,
  orderByChild,
  orderByKey,
  orderByValue,
  push,
  query,
  ref,
  remove,
  runTransaction,
  serverTimestamp,
  set,
  setPriority,
  setWithPriority,
  startAfter,
  update,
} from "firebase/database";

import { CLOSED, dev, eventually, hearthTest as test, sleep } from "../hearth.js";
import { Wire, mockToken, owner, putRules, rest } from "../realtime.js";

const OPEN = { ".read": true, ".write": true };
const hearth = await dev({ rules: CLOSED });
const { database } = hearth;
const apps = [];
let count = 0;

after(async () => {
  await Promise.all(apps.map(deleteApp));
  await hearth.stop();
});

/** A device with the SDK. */
function device(ns, mockUserToken) {
  const app = initializeApp({ projectId: hearth.project, databaseURL: `http://${database}?ns=${ns}` }, `db-${++count}`);
  apps.push(app);
  const db = getDatabase(app);
  const [host, port] = database.split(":");
  connectDatabaseEmulator(db, host, Number(port), mockUserToken ? { mockUserToken } : {});
  return db;
}

/** A database of its own for one test. */
async function fresh(rules = OPEN) {
  const ns = `test-${++count}`;
  const put = await putRules(database, rules, ns);
  assert.equal(put.status, 200, put.text);
  return ns;
}

test("answers have the shapes that Android casts them to", async () => {
  const wire = await Wire.open(database, { ns: await fresh({ ".read": true, ".write": "auth != null" }) });
  assert.deepEqual(await wire.ask("s", { c: { "sdk.js.12-19-0": 1 } }), { s: "ok", d: "" });
  assert.deepEqual(await wire.ask("q", { p: "/a", h: "" }), { s: "ok", d: {} });
  const denied = await wire.ask("p", { p: "/a", d: 1 });
  assert.deepEqual(denied, { s: "permission_denied", d: "Permission denied" });
  for (const [action, body] of [["echo", {}], ["p", {}], ["p", { p: "/a.b", d: 1 }], ["g", { p: "/.info/connected", q: {} }], ["q", { p: 1 }], ["auth", { cred: "x" }]]) {
    const { s, d } = await wire.ask(action, body);
    assert.ok(s !== "ok" && typeof d === "string", `${action}: ${s} ${JSON.stringify(d)}`);
  }
  assert.match((await wire.ask("g", { p: "/.info/connected", q: {} })).d, /Invalid token in path/);
  await wire.end();
});

test("the greeting has the host that was asked for, the time of now and a session", async () => {
  const ns = await fresh();
  const host = `localhost:${database.split(":")[1]}`;
  const wire = await Wire.open(host, { ns });
  const { h, s, ts, v } = wire.greeting;
  assert.equal(h, host, "as the client wrote it");
  assert.equal(v, "5");
  assert.ok(s.length > 10 && Number.isInteger(ts) && Math.abs(ts - Date.now()) < 2_000);
  await wire.end();
});

test("a pong has a payload, and a sign of life announces nothing", async () => {
  const wire = await Wire.open(database, { ns: await fresh() });
  wire.raw("0");
  wire.raw(JSON.stringify({ t: "c", d: { t: "p", d: {} } }));
  await eventually(() => wire.messages.length > 1, "a pong");
  assert.deepEqual(wire.messages[1], { t: "c", d: { t: "o", d: null } });
  wire.raw("0");
  assert.equal((await wire.ask("p", { p: "a", d: 1 })).s, "ok");
  await wire.end();
});

test("the typo of the SDK is an action, and paths may lack their slash", async () => {
  const wire = await Wire.open(database, { ns: await fresh() });
  for (const action of ["unappeck", "unappcheck"]) {
    assert.deepEqual(await wire.ask(action, {}), { s: "ok", d: "" });
  }
  await wire.ask("p", { p: "a/b", d: 1 });
  assert.deepEqual(await wire.ask("g", { p: "//a//b/", q: {} }), { s: "ok", d: 1 });
  await wire.end();
});

test("pushes go before the acknowledgement, and data before a listen's", async () => {
  const wire = await Wire.open(database, { ns: await fresh() });
  await wire.ask("p", { p: "/a", d: { x: 1 } });
  const listen = wire.tell("q", { p: "/a", h: "other" });
  const write = wire.tell("p", { p: "/a/x", d: 2 });
  await eventually(() => wire.answer(write), "an acknowledgement");
  const order = [
    wire.at((d) => d.a === "d" && JSON.stringify(d.b.d) === '{"x":1}'),
    wire.at((d) => d.r === listen),
    wire.at((d) => d.a && d.b.d === 2),
    wire.at((d) => d.r === write),
  ];
  assert.ok(order.every((at) => at >= 0), `${order}`);
  assert.deepEqual(order, [...order].sort((a, b) => a - b));
  await wire.end();
});

test("what is pipelined behind a sign-in waits for it", async () => {
  const ns = await fresh({ ".read": "auth.uid == 'ann'", ".write": "auth.uid == 'ann'" });
  const wire = await Wire.open(database, { ns });
  const before = wire.tell("p", { p: "/a", d: 0 });
  const auth = wire.tell("auth", { cred: mockToken("ann") });
  const write = wire.tell("p", { p: "/a", d: 1 });
  const out = wire.tell("unauth", {});
  const after = wire.tell("p", { p: "/a", d: 2 });
  await eventually(() => wire.answer(after), "all answers");
  assert.deepEqual([before, auth, write, out, after].map((r) => wire.answer(r).s), ["permission_denied", "ok", "ok", "ok", "permission_denied"]);
  assert.equal(wire.answer(auth).d.auth.uid, "ann", "a mock token is expired, and believed in dev");
  assert.equal(wire.answer(out).d, "unauthenticated");
  await wire.end();
});

test("a tagged listener hears one merge with whole children, and its tag", async () => {
  const ns = await fresh();
  const wire = await Wire.open(database, { ns });
  await wire.ask("p", { p: "/l", d: { a: { n: 1, m: 1 }, b: { n: 2, m: 1 }, c: { n: 3, m: 1 } } });
  await wire.ask("q", { p: "/l", q: { i: ".key", l: 2, vf: "r" }, t: 7, h: "" });
  assert.deepEqual(wire.pushes.at(-1), { a: "d", b: { p: "l", d: { b: { n: 2, m: 1 }, c: { n: 3, m: 1 } }, t: 7 } });
  await wire.ask("p", { p: "/l/d", d: { n: 4, m: 1 } });
  assert.deepEqual(wire.pushes.at(-1), { a: "m", b: { p: "l", d: { b: null, d: { n: 4, m: 1 } }, t: 7 } });
  await wire.ask("p", { p: "/l/c/n", d: 30 });
  assert.deepEqual(wire.pushes.at(-1), { a: "m", b: { p: "l", d: { c: { n: 30, m: 1 } }, t: 7 } });
  const heard = wire.pushes.length;
  await wire.ask("p", { p: "/l/a/n", d: 10 });
  assert.equal(wire.pushes.length, heard, "outside of the window");
  await wire.end();
});

test("a get fails without an index where a listen only warns", async () => {
  const ns = await fresh({ ...OPEN, indexed: { ".indexOn": ["n", ".value"] } });
  const wire = await Wire.open(database, { ns });
  for (const [i, child] of [["n", "n"], [".value", ".value"], ["a/b", "a/b"]]) {
    assert.deepEqual((await wire.ask("q", { p: "/l", q: { i, l: 1 }, t: 1, h: "" })).d, { w: ["no_index"] });
    const got = await wire.ask("g", { p: "/l", q: { i, l: 1 } });
    assert.notEqual(got.s, "ok");
    assert.equal(got.d, `Index not defined, add ".indexOn": "${child}", for path "/l", to the rules`);
  }
  for (const i of ["n", ".value", ".key", ".priority"]) {
    assert.equal((await wire.ask("g", { p: "/indexed", q: { i, l: 1 } })).s, "ok", i);
    assert.deepEqual((await wire.ask("q", { p: "/indexed", q: { i, l: 1 }, t: 2, h: "" })).d, {}, i);
  }
  await wire.end();
});

test("both spellings of the last key, and of exclusive bounds", async () => {
  const wire = await Wire.open(database, { ns: await fresh({ ...OPEN, l: { ".indexOn": ".value" } }) });
  await wire.ask("p", { p: "/l", d: { a: 1, b: 1, c: 2 } });
  const got = async (q) => Object.keys((await wire.ask("g", { p: "/l", q: { i: ".value", ...q } })).d ?? {}).join("");
  assert.equal(await got({ sp: 1, sn: "[MAX_NAME]", sin: false }), "c");
  assert.equal(await got({ sp: 1, sn: "[MAX_KEY]" }), "c");
  assert.equal(await got({ ep: 2, en: "[MIN_NAME]", ein: false }), "ab");
  assert.equal(await got({ sp: 1, sn: "a-" }), "bc", "a successor, as Android computes it");
  assert.equal(await got({ sp: 1, sn: "a", sin: false }), "bc");
  await wire.end();
});

test("an equal set is acknowledged, an empty update is none", async () => {
  const wire = await Wire.open(database, { ns: await fresh() });
  await wire.ask("p", { p: "/a", d: 1 });
  assert.equal((await wire.ask("p", { p: "/a", d: 1 })).s, "ok");
  assert.equal((await wire.ask("m", { p: "/a", d: {} })).s, "ok");
  assert.equal((await wire.ask("g", { p: "/a", q: {} })).d, 1);
  await wire.end();
});

test("a listener that knows the hash is sent nothing", async () => {
  const wire = await Wire.open(database, { ns: await fresh() });
  await wire.ask("p", { p: "/a", d: { a: 1, b: "x" } });
  await wire.ask("q", { p: "/a", h: "jRI9dwRS9sb4SWm8uuoN7+xBk4g=" });
  await wire.ask("q", { p: "/nothing", h: "" });
  assert.deepEqual(wire.pushes, []);
  await wire.end();
});

test("a listener that knows the hashes of ranges is sent the ranges that differ", async () => {
  const wire = await Wire.open(database, { ns: await fresh() });
  const sha1 = (text) => createHash("sha1").update(text).digest("base64");
  const one = sha1('("a":(string:"one"),"b":("x":(string:"two")))');
  const two = sha1('("b":("y":(string:"three")))');
  const has = { h: "another", ch: { hs: [one, two, ""], ps: ["b/x", "b/y"] } };
  const told = async (p, more = {}) => {
    const before = wire.pushes.length;
    assert.equal((await wire.ask("q", { p, ...has, ...more })).s, "ok");
    return wire.pushes.slice(before);
  };
  await wire.ask("p", { p: "/v", d: { a: "one", b: { x: "two", y: "changed" }, c: "new" } });
  assert.deepEqual(await told("/v"), [
    {
      a: "rm",
      b: {
        p: "v",
        d: [
          { s: "b/x", e: "b/y", m: { b: { y: "changed" } } },
          { s: "b/y", m: { c: "new" } },
        ],
      },
    },
  ]);
  await wire.ask("p", { p: "/w", d: { a: "one", b: { y: "three" } } });
  assert.deepEqual(await told("/w", { q: { l: 5, vf: "l" }, t: 7 }), [
    { a: "rm", b: { p: "w", d: [{ e: "b/x", m: { a: "one" } }], t: 7 } },
  ]);
  // Nothing is there, or what the client says is none: all of it.
  assert.deepEqual(await told("/nothing"), [{ a: "d", b: { p: "nothing", d: null } }]);
  await wire.ask("p", { p: "/z", d: "z" });
  assert.deepEqual(await told("/z", { ch: { hs: ["x"], ps: ["b", "a"] } }), [{ a: "d", b: { p: "z", d: "z" } }]);
  await wire.end();
});

test("keys are ordered by UTF-16 units, numbers first", async () => {
  const db = device(await fresh());
  const keys = ["10", "2", "a", "-1", "😀", "\uff5e", "00", "0", "2147483648"];
  await set(ref(db, "l"), Object.fromEntries(keys.map((key) => [key, true])));
  const ordered = [];
  (await get(query(ref(db, "l"), orderByKey()))).forEach((found) => void ordered.push(found.key));
  assert.deepEqual(ordered, ["-1", "0", "00", "2", "10", "2147483648", "a", "😀", "\uff5e"]);
  const after = [];
  (await get(query(ref(db, "l"), orderByKey(), startAfter("😀")))).forEach((found) => void after.push(found.key));
  assert.deepEqual(after, ["\uff5e"]);
});

test("half of a surrogate pair is replaced, and the connection stays", async () => {
  const wire = await Wire.open(database, { ns: await fresh() });
  wire.raw('{"t":"d","d":{"r":900,"a":"p","b":{"p":"/a","d":"x\\ud800y"}}}');
  await eventually(() => wire.answer(900), "an answer");
  assert.equal(wire.answer(900).s, "ok");
  assert.equal((await wire.ask("g", { p: "/a", q: {} })).d, "x\ufffdy");
  await wire.end();
});

test("depth counts from the root: path and value together", async () => {
  const wire = await Wire.open(database, { ns: await fresh() });
  const deep = (levels) => Array(levels).fill("k").join("/");
  const nested = (levels) => (levels === 0 ? 1 : { k: nested(levels - 1) });
  assert.equal((await wire.ask("p", { p: deep(32), d: 1 })).s, "ok");
  assert.notEqual((await wire.ask("p", { p: deep(33), d: 1 })).s, "ok");
  assert.equal((await wire.ask("p", { p: deep(20), d: nested(12) })).s, "ok");
  assert.notEqual((await wire.ask("p", { p: deep(20), d: nested(13) })).s, "ok");
  await wire.end();
});

test("an ancestor's .validate vetoes a deep write", async () => {
  const rules = { ...OPEN, user: { ".validate": "newData.hasChildren(['name'])", name: { ".validate": "newData.isString()" } } };
  const wire = await Wire.open(database, { ns: await fresh(rules) });
  assert.equal((await wire.ask("p", { p: "/user/age", d: 5 })).s, "permission_denied");
  assert.equal((await wire.ask("p", { p: "/user", d: { name: "Ann" } })).s, "ok");
  assert.equal((await wire.ask("p", { p: "/user/age", d: 5 })).s, "ok");
  assert.equal((await wire.ask("m", { p: "/", d: { "user/name": 1, "other": 1 } })).s, "permission_denied");
  assert.equal((await wire.ask("g", { p: "/other", q: {} })).d, null, "all or nothing");
  await wire.end();
});

test("a denial is explained in dev, beside what SDKs compare", async () => {
  const wire = await Wire.open(database, { ns: await fresh({ a: { ".write": "auth.uid == 'ann'" } }) });
  assert.equal((await wire.ask("p", { p: "/a", d: 1 })).d, "Permission denied");
  const said = wire.pushes.find(({ a }) => a === "sd");
  assert.match(said.b.msg, /line 1.*auth\.uid == 'ann'/s);
  await wire.end();
});

test("rules that are put revoke listeners at once, with their query", async () => {
  const ns = await fresh();
  const wire = await Wire.open(database, { ns });
  await wire.ask("q", { p: "/a", h: "" });
  await wire.ask("q", { p: "/b", q: { i: ".key", l: 1 }, t: 3, h: "" });
  await wire.ask("q", { p: "/c", h: "" });
  await putRules(database, { c: { ".read": true } }, ns);
  await eventually(() => wire.pushes.filter(({ a }) => a === "c").length === 2, "two revocations");
  const revoked = wire.pushes.filter(({ a }) => a === "c").map(({ b }) => b.p).sort();
  assert.deepEqual(revoked, ["a", "b"]);
  assert.ok(Array.isArray(wire.pushes.find(({ a, b }) => a === "c" && b.p === "b").b.q));
  await wire.end();
});

test("a listener is decided again when the data changes that its rule looked at", async () => {
  const ns = await fresh({ ".write": true, members: { ".read": true }, room: { ".read": "root.child('members/ann').exists()" } });
  await rest(database, "/.json", { method: "PUT", ns, body: { members: { ann: true }, room: "secret" }, headers: owner });
  const wire = await Wire.open(database, { ns });
  await wire.ask("q", { p: "/room", h: "" });
  await rest(database, "/members/ann.json", { method: "DELETE", ns });
  await eventually(() => wire.pushes.some(({ a, b }) => a === "c" && b.p === "room"), "a revocation");
  await rest(database, "/room.json", { method: "PUT", ns, body: "more secret", headers: owner });
  await sleep(100);
  assert.ok(!wire.pushes.some(({ b }) => b.d === "more secret"));
  await wire.end();
});

test("signing out revokes what it gave", async () => {
  const wire = await Wire.open(database, { ns: await fresh({ ".read": "auth != null" }) });
  await wire.ask("auth", { cred: mockToken("ann") });
  await wire.ask("q", { p: "/a", h: "" });
  await wire.ask("unauth", {});
  assert.ok(wire.pushes.some(({ a }) => a === "c"));
  await wire.end();
});

test("an administrator may be decided as somebody else", async () => {
  const wire = await Wire.open(database, { ns: await fresh({ ".write": "auth.uid == 'ann'" }) });
  for (const [extra, expected] of [[{}, "ok"], [{ authvar: { uid: "ann" } }, "ok"], [{ authvar: { uid: "bob" } }, "permission_denied"], [{ noauth: true }, "permission_denied"]]) {
    assert.equal((await wire.ask("gauth", { cred: "owner", ...extra })).s, "ok");
    assert.equal((await wire.ask("p", { p: "/a", d: 1 })).s, expected, JSON.stringify(extra));
  }
  await wire.end();
});

test("onDisconnect: a cancelled child of a set, and a takeover that comes first", async () => {
  const ns = await fresh();
  const seen = await Wire.open(database, { ns });
  await seen.ask("p", { p: "/p", d: { original: true, child: "original-child" } });
  const first = await Wire.open(database, { ns });
  await first.ask("o", { p: "/p", d: { original: true, parent: true, child: "x" } });
  await first.ask("o", { p: "/p/child", d: "y" });
  await first.ask("oc", { p: "/p/child", d: null });
  await first.ask("om", { p: "/q", d: { a: { ".sv": "timestamp" } } });
  // The client comes again before its old socket is gone.
  const second = await Wire.open(database, { ns, query: `&ls=${first.greeting.s}` });
  const got = await second.ask("g", { p: "/p", q: {} });
  assert.deepEqual(got.d, { original: true, parent: true, child: "original-child" });
  assert.ok(Math.abs((await second.ask("g", { p: "/q/a", q: {} })).d - Date.now()) < 5_000);
  await eventually(() => first.closed, "the end of the first");
  await Promise.all([seen.end(), second.end()]);
});

test("onDisconnect is asked when it is left and again when it is done", async () => {
  const rules = { ".read": true, gate: { ".write": true }, a: { ".write": "root.child('gate').val() == 'open'" }, b: { ".write": true } };
  const ns = await fresh(rules);
  await rest(database, "/gate.json", { method: "PUT", ns, body: "open" });
  const wire = await Wire.open(database, { ns });
  assert.equal((await wire.ask("o", { p: "/c", d: 1 })).s, "permission_denied");
  await wire.ask("o", { p: "/a", d: 1 });
  await wire.ask("o", { p: "/b", d: 1 });
  await rest(database, "/gate.json", { method: "PUT", ns, body: "closed" });
  await wire.end();
  await eventually(async () => (await rest(database, "/b.json", { ns })).text === "1", "the other one is done");
  assert.equal((await rest(database, "/a.json", { ns })).text, "null");
});

test("the SDK: presence, offline writes, and coming again", async () => {
  const ns = await fresh();
  const [ann, bob] = [device(ns), device(ns)];
  await onDisconnect(ref(ann, "online/ann")).set("gone");
  await set(ref(ann, "online/ann"), "here");
  const heard = [];
  onValue(ref(bob, "online/ann"), (found) => heard.push(found.val()));
  await eventually(() => heard.at(-1) === "here", "that she is here");
  goOffline(ann);
  await eventually(() => heard.at(-1) === "gone", "that she is gone");
  const late = set(ref(ann, "online/ann"), "back");
  goOnline(ann);
  await late;
  await eventually(() => heard.at(-1) === "back", "that she is back");
});

test("the SDK: transactions by hash, over priorities, texts and numbers of every kind", async () => {
  const ns = await fresh();
  const [ann, bob] = [device(ns), device(ns)];
  const values = { a: 1, b: 0.5, c: -0, d: "žluť 😀", e: true, f: { x: 1e21, y: 4503599627370497 }, 10: "n", 2: "m" };
  await set(ref(ann, "t"), values);
  await setPriority(ref(ann, "t/f"), 3);
  await setWithPriority(ref(ann, "t/g"), "g", "high");
  const { committed, snapshot } = await runTransaction(ref(bob, "t"), (current) => ({ ...current, a: (current?.a ?? 0) + 1 }));
  assert.ok(committed && snapshot.val().a === 2);
  const both = [ann, bob].flatMap((db) => Array.from({ length: 10 }, () => runTransaction(ref(db, "n"), (n) => (n ?? 0) + 1)));
  await Promise.all(both);
  assert.equal((await get(ref(ann, "n"))).val(), 20);
});

test("the SDK: server values, updates and pushes", async () => {
  const db = device(await fresh());
  await update(ref(db), { "a/b": 1, "a/c": serverTimestamp(), n: increment(2) });
  await set(ref(db, "n"), increment(3));
  const now = (await get(ref(db))).val();
  assert.equal(now.n, 5);
  assert.ok(Math.abs(now.a.c - Date.now()) < 5_000);
  const keys = [push(ref(db, "l"), 1), push(ref(db, "l"), 2)].map((made) => made.key);
  await eventually(async () => (await get(ref(db, "l"))).size === 2, "both");
  assert.deepEqual(Object.keys((await get(ref(db, "l"))).val()), keys);
  await remove(child(ref(db), "l"));
  assert.equal((await get(ref(db, "l"))).exists(), false);
});

test("the SDK: a window moves with what is written", async () => {
  const ns = await fresh({ ...OPEN, l: { ".indexOn": ["n", ".value"] } });
  const [ann, bob] = [device(ns), device(ns)];
  await set(ref(ann, "l"), { a: { n: 1 }, b: { n: 2 }, c: { n: 3 } });
  let shown;
  onValue(query(ref(bob, "l"), orderByChild("n"), limitToLast(2)), (found) => (shown = Object.keys(found.val() ?? {}).join("")));
  await eventually(() => shown === "bc", "the last two");
  await remove(ref(ann, "l/c"));
  await eventually(() => shown === "ab", "the one that was hidden");
  await set(ref(ann, "l/z"), { n: 9 });
  await eventually(() => shown === "bz", "the new one");
  const added = [];
  onChildAdded(query(ref(bob, "v"), orderByValue(), endAt(5)), (found) => added.push(found.key));
  await update(ref(ann, "v"), { x: 9, y: 5, w: 1 });
  await eventually(() => added.sort().join("") === "wy", "those in the range");
});

test("the SDK: a mock user is who they say, and a denial says so", async () => {
  const ns = await fresh({ users: { $uid: { ".read": "auth.uid == $uid", ".write": "auth.uid == $uid && auth.token.plan == 'gold'" } } });
  const ann = device(ns, { sub: "ann", plan: "gold" });
  await set(ref(ann, "users/ann"), "hers");
  assert.equal((await get(ref(ann, "users/ann"))).val(), "hers");
  await assert.rejects(set(ref(ann, "users/bob"), 1), /PERMISSION_DENIED: Permission denied/);
  await assert.rejects(get(ref(ann, "users/bob")), /Permission denied/);
});
