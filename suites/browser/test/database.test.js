// Every way in which the web SDK carries a Realtime Database: WebSockets, long polling, and from the one to the other.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { dev, eventually, sleep } from "../../node/hearth.js";
import { owner, putRules, rest } from "../../node/realtime.js";
import { tab } from "../browser.js";

const CLOSED = "service cloud.firestore { match /databases/{database}/documents { match /{document=**} { allow read: if false; } } }";
const NS = "pages";

let hearth;
before(async () => {
  hearth = await dev({ project: "demo-browser", rules: CLOSED });
  await putRules(hearth.database, { open: { ".read": true, ".write": true }, closed: { ".read": false } }, NS);
});
after(async () => hearth?.stop());

/** A page, and what it uses to talk to the database. */
async function opened(script) {
  const page = await tab();
  const polls = [];
  const sockets = [];
  page.on("request", (request) => request.url().includes("/.lp?") && polls.push(request.url()));
  page.on("websocket", (socket) => sockets.push(socket.url()));
  if (script) {
    await page.addInitScript(script);
    await page.reload();
  }
  return { page, polls, sockets };
}

/** Reads, writes, listens, is denied, runs transactions; leaves something for the end. */
const work = async ({ options, place }) => {
  const { set, get, ref, onValue, update, push, runTransaction, onDisconnect, query, limitToLast, serverTimestamp } = sdk.database;
  const db = sdk.openDatabase(options);
  const at = (path) => ref(db, `open/${place}/${path}`);
  const heard = [];
  onValue(at("text"), (found) => heard.push(found.val()));
  const text = `grüße 😀 \u2028 </script> \\ "${"long ".repeat(8_000)}`;
  await set(at("text"), text);
  await update(at(""), { "a/b": 1, "a/at": serverTimestamp() });
  const keys = [];
  for (let n = 0; n < 30; n++) {
    keys.push(push(at("l"), n));
  }
  await Promise.all(keys);
  const last = (await get(query(at("l"), limitToLast(3)))).val();
  const { snapshot } = await runTransaction(at("n"), (n) => (n ?? 0) + 1);
  const denied = await set(ref(db, "closed"), 1).catch((error) => error.message);
  await onDisconnect(at("online")).set("gone");
  await set(at("online"), "here");
  await sdk.until(() => heard.at(-1) === text, () => "what was written");
  globalThis.heard = heard;
  onValue(at("news"), (found) => heard.push(found.val()));
  return { last: Object.values(last), n: snapshot.val(), denied };
};

async function works({ page }, place, transport) {
  const options = { project: "demo-browser", address: hearth.database, ns: NS, transport };
  const found = await page.evaluate(work, { options, place });
  assert.deepEqual(found.last, [27, 28, 29]);
  assert.equal(found.n, 1);
  assert.match(found.denied, /PERMISSION_DENIED/);
  await rest(hearth.database, `/open/${place}/news.json`, { method: "PUT", ns: NS, body: "news" });
  await page.evaluate(() => sdk.until(() => globalThis.heard.at(-1) === "news", () => "news from elsewhere"));
  assert.deepEqual(page.failures, []);
}

const value = async (path) => JSON.parse((await rest(hearth.database, `/open/${path}.json`, { ns: NS, headers: owner })).text);

test("over a WebSocket, as it comes", { timeout: 60_000 }, async () => {
  const one = await opened();
  await works(one, "socket", "forceWebSockets");
  assert.ok(one.sockets.length > 0 && one.polls.length === 0);
  await one.page.close();
  await eventually(async () => (await value("socket/online")) === "gone", "what was left for the end");
});

test("over long polls: the same, and a page that is closed says so", { timeout: 60_000 }, async () => {
  const one = await opened();
  await works(one, "polls", "forceLongPolling");
  assert.ok(one.polls.length > 3 && one.sockets.length === 0);
  await one.page.goto("about:blank");
  await eventually(async () => (await value("polls/online")) === "gone", "what was left for the end", 10_000);
  await one.page.close();
});

test("a page without storage polls first and moves to a WebSocket", { timeout: 60_000 }, async () => {
  const one = await opened(() => Object.defineProperty(globalThis, "localStorage", { get: () => { throw new Error("none"); } }));
  await works(one, "moved");
  assert.ok(one.polls.length > 0, "it has polled");
  await eventually(() => one.sockets.some((url) => url.includes("&s=")), "a socket for the same session", 20_000);
  await sleep(1_000);
  const polls = one.polls.length;
  await rest(hearth.database, "/open/moved/news.json", { method: "PUT", ns: NS, body: "more" });
  await one.page.evaluate(() => sdk.until(() => globalThis.heard.at(-1) === "more", () => "news over the socket"));
  await sleep(500);
  assert.equal(one.polls.length, polls, "it polls no more");
  await one.page.close();
  await eventually(async () => (await value("moved/online")) === "gone", "what was left for the end");
});

test("a page from elsewhere gets nothing by a script that an administrator could have", { timeout: 60_000 }, async () => {
  const { page } = await opened();
  await rest(hearth.database, "/secret.json", { method: "PUT", ns: NS, body: "secret", headers: owner });
  // A page whose address is not local, which a browser opens as any other.
  await page.route("http://evil.test/**", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto("http://evil.test/page");
  const got = await page.evaluate(
    (address) =>
      new Promise((resolve) => {
        globalThis.took = (value) => resolve(`took ${JSON.stringify(value)}`);
        const script = document.createElement("script");
        script.src = `http://${address}/secret.json?ns=pages&access_token=owner&callback=took`;
        script.onerror = () => resolve("refused");
        script.onload = () => resolve("nothing");
        document.head.append(script);
      }),
    hearth.database,
  );
  assert.ok(!got.includes("secret"), got);
  await page.close();
});
