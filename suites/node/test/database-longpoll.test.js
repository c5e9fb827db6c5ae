// The Realtime Database by long polling, request by request: what scripts of a page send and run, and the way to a WebSocket.

import assert from "node:assert/strict";
import { after } from "node:test";

import { CLOSED, dev, eventually, hearthTest as test, sleep } from "../hearth.js";
import { Wire, putRules, rest } from "../realtime.js";

const hearth = await dev({ rules: CLOSED });
const { database } = hearth;
let count = 0;
after(() => hearth.stop());

async function fresh() {
  const ns = `poll-${++count}`;
  await putRules(database, { ".read": true, ".write": true }, ns);
  return ns;
}

const base64 = (json) => Buffer.from(JSON.stringify(json)).toString("base64").replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ".");

/** A page's end of a session: every answer is run as the script that it is. */
class Page {
  /** Messages in order, as the SDK's receiver puts them. */
  messages = [];
  numbers = [];
  commands = [];
  #segment = 0;
  #serial = 1;

  static async open(ns, query = "") {
    const page = new Page();
    page.ns = ns;
    const { text, headers } = await page.get(`start=t&ser=0&cb=12&v=5&ns=${ns}${query}`);
    assert.equal(headers.get("content-type"), "application/javascript; charset=utf-8");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    page.run(text);
    return page;
  }

  async get(query) {
    const response = await fetch(`http://${database}/.lp?${query}`);
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  run(text) {
    const parent = {
      window: {
        pLPCommand12: (...all) => this.commands.push(all.filter((one) => one !== undefined)),
        pRTLPCB12: (number, messages) => {
          this.numbers.push(number);
          this.messages.push(...messages);
        },
      },
    };
    this.functions ??= text;
    const script = text === this.functions ? text : this.functions.split("pLPCommand('start'")[0] + text;
    new Function("parent", script)(parent);
  }

  get id() {
    return `id=${this.commands[0][1]}&pw=${this.commands[0][2]}&ns=${this.ns}`;
  }

  /** One poll with these segments. */
  async poll(segments = "") {
    const answer = await this.get(`${this.id}&ser=${this.#serial++}${segments}`);
    this.run(answer.text);
    return answer;
  }

  /** The segments of a message, in parts of this length. */
  segments(message, length = 1800) {
    const parts = base64(message).match(new RegExp(`.{1,${length}}`, "g"));
    return parts.map((part, at) => ({ seg: this.#segment++, ts: parts.length, d: part, at }));
  }

  static query(segments) {
    return segments.map(({ seg, ts, d }, at) => `&seg${at}=${seg}&ts${at}=${ts}&d${at}=${d}`).join("");
  }

  ask(r, a, b) {
    return { t: "d", d: { r, a, b } };
  }

  answer(r) {
    return this.messages.find(({ t, d }) => t === "d" && d.r === r)?.d.b;
  }
}

test("a session: requests in, numbered answers out, none left out", async () => {
  const page = await Page.open(await fresh());
  assert.equal(page.messages[0].d.t, "h");
  await page.poll(Page.query(page.segments(page.ask(1, "p", { p: "/a", d: "žluť 😀" }))));
  await page.poll(Page.query([...page.segments(page.ask(2, "q", { p: "/a", h: "" })), ...page.segments(page.ask(3, "g", { p: "/a", q: {} }))]));
  while (!page.answer(3)) {
    await page.poll();
  }
  assert.deepEqual([page.answer(1).s, page.answer(2).d, page.answer(3).d], ["ok", {}, "žluť 😀"]);
  assert.deepEqual(page.numbers, page.numbers.map((_, at) => at));
  assert.equal((await page.get(`${page.id}&disconn=t`)).text, "pLPCommand('close');\n");
  assert.equal((await page.get(page.id)).text, "pLPCommand('close');\n");
});

test("segments overtake each other, and come twice", async () => {
  const ns = await fresh();
  const page = await Page.open(ns);
  const long = "x".repeat(3_000);
  const first = page.segments(page.ask(1, "p", { p: "/a", d: long }), 1_000);
  const second = page.segments(page.ask(2, "p", { p: "/b", d: 2 }));
  const open = [second[0], ...first.slice().reverse()].map((segment) => page.poll(Page.query([segment])));
  open.push(page.poll(Page.query([first[0]])));
  await sleep(200);
  while (!page.answer(2)) {
    await page.poll();
  }
  await page.get(`${page.id}&disconn=t`);
  await Promise.all(open);
  assert.equal(JSON.parse((await rest(database, "/a.json", { ns })).text), long);
  assert.deepEqual([...page.numbers].sort((a, b) => a - b), page.numbers.map((_, at) => at), "each number once, without gaps");
});

test("a newer poll ends the one before, and one that waits is answered when something comes", async () => {
  const ns = await fresh();
  const page = await Page.open(ns);
  await page.poll(Page.query(page.segments(page.ask(1, "q", { p: "/a", h: "x" }))));
  while (!page.answer(1)) {
    await page.poll();
  }
  const older = page.poll();
  await sleep(100);
  const newer = page.poll();
  assert.match((await older).text, /^pRTLPCB\(\d+,\[\]\);\n$/);
  await rest(database, "/a.json", { method: "PUT", ns, body: "news" });
  assert.match((await newer).text, /news/);
  await page.get(`${page.id}&disconn=t`);
});

test("leaving runs what was left for it", async () => {
  const ns = await fresh();
  const page = await Page.open(ns);
  await page.poll(Page.query(page.segments(page.ask(1, "o", { p: "/online", d: "gone" }))));
  while (!page.answer(1)) {
    await page.poll();
  }
  const frame = await page.get(`dframe=t&${page.id}`);
  assert.equal(frame.headers.get("content-type"), "text/html; charset=utf-8");
  assert.match(frame.text, /disconn=t/);
  await page.get(`disconn=t&${page.id}`);
  await eventually(async () => (await rest(database, "/online.json", { ns })).text === '"gone"', "what was left");
});

test("nothing of a request becomes a script", async () => {
  const ns = await fresh();
  const page = new Page();
  for (const cb of ["alert(1)", "1;alert(1)//", "1%22]", "", "-1", "%0A1", "%E2%80%A81"]) {
    const { status, text, headers } = await page.get(`start=t&ser=0&cb=${cb}&v=5&ns=${ns}`);
    assert.equal(status, 400, cb);
    assert.ok(!text.includes("alert") && !headers.get("content-type").includes("javascript"), text);
  }
  assert.equal((await page.get(`start=t&ser=0&v=5&ns=${ns}`)).status, 400);
  const frame = await page.get(`dframe=t&id=x&pw=y&ns=</script><script>alert(1)</script>`);
  assert.ok(!frame.text.includes("alert"));
  // Line separators are JSON and were no JavaScript.
  const session = await Page.open(ns);
  await rest(database, "/a.json", { method: "PUT", ns, body: "</script>\u2028\u2029" });
  await session.poll(Page.query(session.segments(session.ask(1, "g", { p: "/a", q: {} }))));
  while (!session.answer(1)) {
    await session.poll();
  }
  assert.equal(session.answer(1).d, "</script>\u2028\u2029");
  await session.get(`${session.id}&disconn=t`);
});

test("who does not know the password has no session, and breaking the protocol ends it", async () => {
  const ns = await fresh();
  const page = await Page.open(ns);
  const [, id, password] = page.commands[0];
  for (const [i, p] of [[id, "x"], [id, password.slice(1)], [id, ""], ["x", password]]) {
    assert.equal((await page.get(`id=${i}&pw=${p}&ns=${ns}`)).text, "pLPCommand('close');\n");
    assert.equal((await page.get(`id=${i}&pw=${p}&ns=${ns}&disconn=t`)).text, "pLPCommand('close');\n");
  }
  await page.poll(Page.query(page.segments(page.ask(1, "s", { c: {} }))));
  while (!page.answer(1)) {
    await page.poll();
  }
  for (const segments of ["&seg0=99999&ts0=1&d0=e30", "&seg0=1&ts0=0&d0=e30", "&seg0=1&ts0=1&d0=!!!", "&seg0=x&ts0=1&d0=e30", "&seg0=1&ts0=1&d0=bm9uc2Vuc2U."]) {
    const broken = await Page.open(ns);
    if (!segments.startsWith("&seg0=99999")) {
      await broken.poll(Page.query(broken.segments(broken.ask(1, "s", { c: {} }))));
    }
    await broken.poll(segments);
    await eventually(async () => (await broken.get(broken.id)).text.includes("close"), `the end after ${segments}`);
  }
  await page.get(`${page.id}&disconn=t`);
});

test("a WebSocket takes over without losing or doubling anything", async () => {
  const ns = await fresh();
  const page = await Page.open(ns);
  await page.poll(Page.query(page.segments(page.ask(1, "q", { p: "/n", h: "x" }))));
  while (!page.answer(1)) {
    await page.poll();
  }
  const session = page.messages[0].d.d.s;
  const socket = await Wire.open(database, { ns, query: `&s=${session}` });
  const control = (t) => JSON.stringify({ t: "c", d: { t, d: {} } });
  assert.deepEqual(socket.messages[0], { t: "c", d: { t: "a", d: {} } });
  socket.raw(control("p"));
  await eventually(() => socket.messages.length === 2, "a pong");
  await rest(database, "/n.json", { method: "PUT", ns, body: 1 });
  const waiting = page.poll();
  await waiting;
  // From here on everything to the client goes over the socket; what it asks there waits for its last word here.
  const polled = page.poll();
  socket.raw(control("a"));
  await polled;
  assert.deepEqual(page.messages.at(-1), { t: "c", d: { t: "n", d: {} } });
  socket.raw(JSON.stringify(page.ask(9, "g", { p: "/n", q: {} })));
  await rest(database, "/n.json", { method: "PUT", ns, body: 2 });
  await eventually(() => socket.pushes.length === 1, "the second push, on the socket");
  assert.equal(socket.answer(9), undefined, "not before the last word");
  await page.poll(Page.query(page.segments({ t: "c", d: { t: "n", d: {} } })));
  while (page.commands.at(-1)[0] !== "close") {
    await page.poll();
  }
  assert.deepEqual(page.commands.at(-1), ["close", page.numbers.at(-1)]);
  await eventually(() => socket.answer(9), "an answer on the socket");
  assert.equal(socket.answer(9).d, 2);
  const heard = [...page.messages.filter(({ d }) => d.a), ...socket.messages.filter(({ d }) => d.a)].map(({ d }) => d.b.d);
  assert.deepEqual(heard, [null, 1, 2]);
  await socket.end();
});

test("a socket for a session that is not there is sent away", async () => {
  const ns = await fresh();
  const page = await Page.open(ns);
  for (const [session, of] of [["nonsense", ns], [page.messages[0].d.d.s, await fresh()]]) {
    const socket = await Wire.open(database, { ns: of, query: `&s=${session}` });
    assert.deepEqual(socket.messages[0], { t: "c", d: { t: "r", d: database } });
    await eventually(() => socket.closed, "the end");
  }
  await page.get(`${page.id}&disconn=t`);
});

test("sessions of one address are bounded", async () => {
  const ns = await fresh();
  const page = new Page();
  const pages = await Promise.all(Array.from({ length: 600 }, () => page.get(`start=t&ser=0&cb=12&v=5&ns=${ns}`)));
  const opened = pages.filter(({ status }) => status === 200);
  assert.ok(opened.length >= 500 && opened.length <= 512, `${opened.length} were opened`);
  assert.ok(pages.every(({ status }) => status === 200 || status === 503));
  for (const { text } of opened) {
    const [, id, password] = text.match(/'start','(\w+)','(\w+)'/);
    await page.get(`id=${id}&pw=${password}&disconn=t`);
  }
  assert.equal((await Page.open(ns)).commands[0][0], "start", "who has left leaves room");
});
