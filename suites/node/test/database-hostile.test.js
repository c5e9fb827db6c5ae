// What one client without a name can do to the Realtime Database: broken frames, too much of everything, reading nothing.
// Each ends with a clear word or a bound, the others are served meanwhile, and nothing has changed.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import net from "node:net";
import { after } from "node:test";

import { CLOSED, dev, eventually, hearthTest as test, sleep } from "../hearth.js";
import { Wire, events, putRules, rest } from "../realtime.js";

const hearth = await dev({ rules: CLOSED });
const { database } = hearth;
const [host, port] = database.split(":");
const KIB = 1024;
let count = 0;
after(() => hearth.stop());

async function fresh() {
  const ns = `hostile-${++count}`;
  await putRules(database, { ".read": true, ".write": true }, ns);
  return ns;
}

/** Memory that the server holds. */
const resident = () => Number(readFileSync(`/proc/${hearth.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) * KIB;

/** A socket whose frames are written by hand. */
async function handmade(ns, { reads = true } = {}) {
  const socket = net.connect(Number(port), host);
  let read = Buffer.alloc(0);
  let over = false;
  socket.on("data", (data) => (read = Buffer.concat([read, data])));
  for (const end of ["close", "error"]) {
    socket.on(end, () => (over = true));
  }
  const key = randomBytes(16).toString("base64");
  socket.write(
    `GET /.ws?v=5&ns=${ns} HTTP/1.1\r\nHost: ${database}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  await eventually(() => read.includes("\r\n\r\n"), "an upgrade");
  assert.ok(read.includes(accept));
  if (!reads) {
    socket.pause();
  }
  return {
    socket,
    get over() {
      return over;
    },
    get read() {
      return read;
    },
    frame(opcode, payload, { fin = true, masked = true, length = payload.length } = {}) {
      const head = [(fin ? 0x80 : 0) | opcode];
      const mask = masked ? 0x80 : 0;
      const size = Buffer.alloc(length < 126 ? 0 : length < 65536 ? 2 : 8);
      head.push(mask | (length < 126 ? length : length < 65536 ? 126 : 127));
      if (size.length === 2) {
        size.writeUInt16BE(length);
      } else if (size.length === 8) {
        size.writeBigUInt64BE(BigInt(length));
      }
      const bytes = Buffer.from(payload);
      socket.write(Buffer.concat([Buffer.from(head), size, masked ? Buffer.alloc(4) : Buffer.alloc(0), bytes]));
    },
    text(text) {
      this.frame(1, text);
    },
  };
}

const set = (r, p, d) => JSON.stringify({ t: "d", d: { r, a: "p", b: { p, d } } });

test("frames that are none end the connection, and change nothing", async () => {
  const ns = await fresh();
  for (const [what, write] of [
    ["binary", (one) => one.frame(2, "{}")],
    ["no UTF-8", (one) => one.frame(1, Buffer.from([0xff, 0xfe, 0xfd]))],
    ["not masked", (one) => one.frame(1, set(1, "a", 1), { masked: false })],
    ["a reserved opcode", (one) => one.frame(3, "x")],
    ["a huge length", (one) => one.frame(1, "x", { length: 2 ** 40 })],
    ["a fragment that follows nothing", (one) => one.frame(0, "x")],
    ["no JSON", (one) => one.text("{")],
    ["no message", (one) => one.text('{"t":"x"}')],
    ["a number for a message", (one) => one.text("12345678")],
    ["too deep", (one) => one.text("[".repeat(100_000))],
  ]) {
    const one = await handmade(ns);
    write(one);
    await eventually(() => one.over, `the end after ${what}`);
  }
  assert.equal((await rest(database, "/.json", { ns })).text, "null");
});

test("a frame and a message have a size", async () => {
  const ns = await fresh();
  const large = await handmade(ns);
  large.text("x".repeat(300 * KIB));
  await eventually(() => large.over, "the end after a frame that is too long");
  const wire = await Wire.open(database, { ns });
  const piece = "x".repeat(16_384);
  wire.raw("999999");
  for (let bytes = 0; bytes < 17 * KIB * KIB && !wire.closed; bytes += piece.length) {
    wire.raw(piece);
    await new Promise(setImmediate);
  }
  await eventually(() => wire.closed, "the end after a message that is too long");
  assert.equal(wire.closed.code, 1009);
  // One just below is a message.
  const other = await Wire.open(database, { ns });
  const text = set(1, "a", "y".repeat(9 * KIB * KIB));
  const pieces = text.match(/.{1,16384}/gs);
  other.raw(String(pieces.length));
  pieces.forEach((part) => other.raw(part));
  await eventually(() => other.answer(1), "an answer", 20_000);
  assert.equal(other.answer(1).s, "ok");
  await other.end();
});

test("messages that are never finished are bounded together", async () => {
  const ns = await fresh();
  const before = resident();
  const piece = "x".repeat(16_384);
  const held = await Promise.all(Array.from({ length: 24 }, () => Wire.open(database, { ns })));
  for (const wire of held) {
    wire.raw("2000");
    for (let n = 0; n < 900; n++) {
      wire.raw(piece);
    }
  }
  await eventually(() => held.some(({ closed }) => closed), "the first that is sent away", 30_000);
  await sleep(500);
  const refused = held.filter(({ closed }) => closed);
  assert.ok(refused.every(({ closed }) => closed.reason === "too much is being received at once"), JSON.stringify(refused.map(({ closed }) => closed)));
  assert.ok(resident() - before < 300 * KIB * KIB, `${(resident() - before) / KIB / KIB} MiB are held`);
  const other = await Wire.open(database, { ns });
  assert.equal((await other.ask("p", { p: "a", d: 1 })).s, "ok", "others are served");
  await Promise.all([...held, other].map((wire) => wire.end()));
});

test("who listens and reads nothing is let go, at a bounded cost", async () => {
  const ns = await fresh();
  const deaf = [];
  for (let n = 0; n < 4; n++) {
    const one = await handmade(ns, { reads: false });
    one.text(JSON.stringify({ t: "d", d: { r: 1, a: "q", b: { p: "/l", h: "" } } }));
    deaf.push(one);
  }
  const wire = await Wire.open(database, { ns });
  const before = resident();
  const times = [];
  for (let n = 0; n < 60; n++) {
    const began = performance.now();
    assert.equal((await rest(database, "/l.json", { method: "PUT", ns, body: "z".repeat(KIB * KIB) })).status, 200);
    times.push(performance.now() - began);
  }
  const slowest = times.sort((a, b) => a - b).at(-1);
  assert.ok(slowest < 5_000, `a write took ${slowest} ms`);
  // 60 MiB were written for each; what waits for one is 16 MiB and what the sockets hold.
  assert.ok(resident() - before < 160 * KIB * KIB, `${(resident() - before) / KIB / KIB} MiB are held`);
  assert.equal((await wire.ask("g", { p: "/x", q: {} })).s, "ok");
  deaf.forEach(({ socket }) => socket.destroy());
  await wire.end();
});

test("a connection has a number of listeners", async () => {
  const wire = await Wire.open(database, { ns: await fresh() });
  let last;
  for (let n = 0; n <= 5_001; n++) {
    last = wire.tell("q", { p: `/l/${n}`, h: "" });
  }
  await eventually(() => wire.answer(last), "all answers", 50_000);
  assert.notEqual(wire.answer(last).s, "ok");
  assert.equal(wire.answer(1).s, "ok");
  await wire.end();
});

test("idle connections cost little", async () => {
  const ns = await fresh();
  const open = async (number) => {
    const made = [];
    for (let n = 0; n < number; n += 50) {
      made.push(...(await Promise.all(Array.from({ length: 50 }, () => handmade(ns)))));
    }
    return made;
  };
  const warm = await open(100);
  const before = resident();
  const idle = await open(1_000);
  await eventually(() => idle.every(({ read }) => read.includes('"t":"h"')), "all greetings");
  const each = (resident() - before) / 1_000 / KIB;
  console.log(`      an idle connection: ${each.toFixed(1)} KiB`);
  // Without optimisation tasks are larger; the aim of 20 KiB is measured by the bench.
  assert.ok(each < 64, `${each} KiB each`);
  [...warm, ...idle].forEach(({ socket }) => socket.destroy());
});

test("streams of events take seats, too, and give them back", async () => {
  const ns = await fresh();
  const streams = await Promise.all(Array.from({ length: 100 }, () => events(database, "/a.json", { ns })));
  assert.ok(streams.every(({ status }) => status === 200));
  streams.forEach((stream) => stream.end());
  assert.equal((await rest(database, "/a.json", { ns })).status, 200);
});

test("a body has a size, and one without a right to write it is refused", async () => {
  const ns = await fresh();
  const { status, text } = await rest(database, "/a.json", { method: "PUT", ns, text: `"${"x".repeat(17 * KIB * KIB)}"` });
  assert.deepEqual([status, JSON.parse(text).error], [400, "Data to write exceeds the maximum size that can be modified with a single request."]);
  const wide = `{${Array.from({ length: 200_000 }, (_, n) => `"${n}k":1`).join(",")}}`;
  assert.equal((await rest(database, "/a.json", { method: "PUT", ns, text: wide })).status, 400);
  assert.equal((await rest(database, "/a.json", { ns })).text, "null");
});
