// The Realtime Database's wire as tests see it: frames in and out, nothing hidden; and its REST API.

import { createRequire } from "node:module";

import { eventually } from "./hearth.js";

const { Client } = createRequire(import.meta.url)("faye-websocket");

/** One WebSocket that speaks the protocol, message by message. */
export class Wire {
  /** Every frame as it came. */
  frames = [];
  /** Every whole message, parsed. */
  messages = [];
  closed = undefined;
  #number = 0;
  #missing = 0;
  #pieces = [];

  constructor(url, options) {
    this.socket = new Client(url, [], options);
    this.socket.on("message", ({ data }) => this.#take(data));
    this.socket.on("close", ({ code, reason }) => (this.closed = { code, reason }));
    this.socket.on("error", () => {});
  }

  /** Connects and waits for the greeting. */
  static async open(address, { ns = "app", query = "", ...options } = {}) {
    const wire = new Wire(`ws://${address}/.ws?v=5&ns=${ns}${query}`, options);
    await eventually(() => wire.messages.length > 0 || wire.closed, "a greeting");
    return wire;
  }

  #take(frame) {
    this.frames.push(frame);
    if (this.#missing === 0 && frame.length <= 6 && /^\d+$/.test(frame)) {
      this.#missing = Number(frame);
      return;
    }
    this.#pieces.push(frame);
    this.#missing = Math.max(0, this.#missing - 1);
    if (this.#missing === 0) {
      this.messages.push(JSON.parse(this.#pieces.join("")));
      this.#pieces = [];
    }
  }

  get greeting() {
    return this.messages[0].d.d;
  }

  /** Sends a text as one frame, whatever it is. */
  raw(text) {
    this.socket.send(text);
  }

  /** Asks for something; its answer, `{s, d}`. */
  async ask(a, b) {
    const r = this.tell(a, b);
    await eventually(() => this.answer(r) || this.closed, `an answer to ${a} ${JSON.stringify(b)}`);
    return this.answer(r);
  }

  /** Asks without waiting; the request's number. */
  tell(a, b) {
    const r = ++this.#number;
    this.raw(JSON.stringify({ t: "d", d: { r, a, b } }));
    return r;
  }

  answer(r) {
    return this.messages.find(({ t, d }) => t === "d" && d.r === r)?.d.b;
  }

  /** What the server pushed, in order. */
  get pushes() {
    return this.messages.filter(({ t, d }) => t === "d" && d.a).map(({ d }) => d);
  }

  /** Where a message is in the order of all. */
  at(found) {
    return this.messages.findIndex(({ t, d }) => t === "d" && found(d));
  }

  async end() {
    this.socket.close();
    await eventually(() => this.closed, "the end");
  }
}

/** A request of the REST API with a value or a text as its body; the answer with its body as text. */
export async function rest(address, path, { method = "GET", ns = "app", body, text, headers = {}, query = "" } = {}) {
  const url = `http://${address}${path}?ns=${ns}${query}`;
  const response = await fetch(url, { method, headers, body: text ?? (body === undefined ? undefined : JSON.stringify(body)) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

export const owner = { authorization: "Bearer owner" };

/** Puts rules for a database, as administrators do. */
export function putRules(address, rules, ns = "app") {
  const text = typeof rules === "string" ? rules : JSON.stringify({ rules });
  return rest(address, "/.settings/rules.json", { method: "PUT", ns, text, headers: owner });
}

/** An unsigned token, as the SDKs' mock users have it: long expired, and believed in dev. */
export function mockToken(uid, claims = {}) {
  const part = (json) => Buffer.from(JSON.stringify(json)).toString("base64url");
  const payload = { iat: 0, exp: 3600, sub: uid, user_id: uid, iss: "x", aud: "x", ...claims };
  return `${part({ alg: "none", type: "JWT" })}.${part(payload)}.`;
}

/** Frames of a stream of events, as they come. */
export async function events(address, path, { ns = "app", query = "", headers = {} } = {}) {
  const ending = new AbortController();
  const response = await fetch(`http://${address}${path}?ns=${ns}${query}`, {
    headers: { accept: "text/event-stream", ...headers },
    signal: ending.signal,
  });
  const stream = { status: response.status, headers: response.headers, frames: [], over: false, end: () => ending.abort() };
  const read = async () => {
    let text = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const frames = text.split("\n\n");
      text = frames.pop();
      stream.frames.push(...frames);
    }
  };
  read().catch(() => {}).finally(() => (stream.over = true));
  return stream;
}
