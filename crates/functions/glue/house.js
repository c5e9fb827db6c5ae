// What the code asks of Hearth, it asks on behalf of the call that it runs for: this gives every request of the Admin SDK the
// credential of its call, and in production leads Google's addresses to Hearth's own socket. Loaded before the code is.
// HEARTH_HOUSE says where Hearth is:
//   hosts   `host:port` of the services, as the SDKs know them
//   open    those of them whose requests without a credential are an administrator's (Cloud Storage's)
//   token   the worker's own credential, for what it asks outside of any call; without one that is refused
//   closed  `host:port` whose connections cannot be told apart by call: refused, where calls run as their callers
//   socket  in production: the unix socket that answers for `hosts` and for Google
//   google  in production: the hosts that it answers for
"use strict";

const { AsyncLocalStorage } = require("node:async_hooks");
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const Module = require("node:module");
const net = require("node:net");
const path = require("node:path");
const tls = require("node:tls");

const house = { hosts: [], open: [], token: null, closed: [], google: [], ...JSON.parse(process.env.HEARTH_HOUSE ?? "{}") };
delete process.env.HEARTH_HOUSE;
const hosts = new Set(house.hosts);
const open = new Set(house.open);
const closed = new Set(house.closed);
const google = new Set(house.google);
const current = new AsyncLocalStorage();

/** The credential of the call that runs, else of the worker; one that is refused where there is neither. */
const bearer = () => `Bearer ${current.getStore() ?? house.token ?? "hearth-fn.none"}`;

/** The same function, always on behalf of the call that runs now. */
function bound(run) {
  const credential = current.getStore();
  return function (...args) {
    return current.run(credential, () => run.apply(this, args));
  };
}

/**
 * An emitter whose events are on behalf of the call that runs now. Connections are shared: their events come in the name of
 * whichever call opened them, and what a listener asks next, such as the same once more, must not be asked in that name.
 */
function keeps(emitter) {
  emitter.emit = bound(emitter.emit);
  return emitter;
}

/** Whether a header has the token of a user: that one is the code's own choice. */
function isOfUser(header) {
  const token = /^(?:Bearer|Firebase) (.+)$/i.exec(String(header))?.[1];
  if (token === undefined) {
    return true;
  }
  try {
    const { iss } = JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
    return /^https:\/\/(?:securetoken|session)\.(?:google|firebase\.google)\.com\//.test(iss);
  } catch {
    return false;
  }
}

/** What stands in place of a request's `Authorization`; nothing where it stays. */
function inPlaceOf(header, host, path) {
  const isOpen = open.has(host) && !String(path).startsWith("/v0");
  if (header === undefined || header === null) {
    return isOpen ? bearer() : undefined;
  }
  return isOfUser(header) ? undefined : bearer();
}

/** `host:port` of a request's options. */
function hostOf(options, isSecure) {
  const name = options.hostname ?? options.host ?? "localhost";
  return /:\d+$/.test(name) ? name : `${name}:${options.port ?? (isSecure ? 443 : 80)}`;
}

// Custom tokens: the SDK asks for the account's name and for a signature where its credential is the environment's. The key is in
// this worker's folder, so both are answered here.
const SIGNING = "iamcredentials.googleapis.com";
const METADATA = "metadata";
const signing = house.socket && process.env.GOOGLE_APPLICATION_CREDENTIALS ? path.join(path.dirname(house.socket), "sign.sock") : null;
if (signing) {
  const account = JSON.parse(fs.readFileSync(process.env.GOOGLE_APPLICATION_CREDENTIALS, "utf8"));
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      if (request.method === "GET") {
        response.writeHead(200, { "content-type": "text/plain", "metadata-flavor": "Google" }).end(account.client_email);
        return;
      }
      const { payload } = JSON.parse(Buffer.concat(parts).toString());
      const signed = crypto.sign("RSA-SHA256", Buffer.from(payload, "base64"), account.private_key).toString("base64");
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keyId: account.private_key_id, signedBlob: signed }));
    });
  });
  server.listen(signing);
  server.unref();
}

/** The socket that answers for a host; nothing where the host does by itself. */
function socketOf(name, isSecure) {
  if (isSecure) {
    return signing && name === SIGNING ? signing : google.has(name) ? house.socket : undefined;
  }
  return signing && name === METADATA ? signing : undefined;
}

// HTTP.
function asOptions(args) {
  const [first, second] = args;
  const isUrl = typeof first === "string" || first instanceof URL;
  const of = isUrl ? urlToOptions(new URL(first)) : {};
  const more = isUrl ? (typeof second === "object" ? second : {}) : first;
  return { options: { ...of, ...more }, done: args.find((one) => typeof one === "function") };
}

function urlToOptions(url) {
  return { protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ""), port: url.port || undefined, path: `${url.pathname}${url.search}` };
}

function wrap(module, isSecure) {
  const { request } = module;
  const start = (args) => {
    const { options, done } = asOptions(args);
    const name = options.hostname ?? options.host;
    const socket = socketOf(name, isSecure);
    if (socket) {
      // Answered by Hearth: without TLS, on its socket.
      const { agent, port, protocol, ...rest } = options;
      const to = { ...rest, socketPath: socket, host: name, hostname: name, agent: undefined, setHost: false };
      const made = plain(to, done);
      made.setHeader("host", name);
      return authorized(made, name);
    }
    const made = request(...args);
    return hosts.has(hostOf(options, isSecure)) ? authorized(made, hostOf(options, isSecure)) : made;
  };
  module.request = (...args) => start(args);
  module.get = (...args) => {
    const made = start(args);
    made.end();
    return made;
  };
}

function authorized(request, host) {
  const header = inPlaceOf(request.getHeader("authorization"), host, request.path);
  if (header !== undefined && !request.headersSent) {
    request.setHeader("authorization", header);
  }
  const { emit } = keeps(request);
  request.emit = (event, first, ...more) => emit.call(request, event, event === "response" ? keeps(first) : first, ...more);
  return request;
}

const plain = http.request;
if (hosts.size > 0) {
  wrap(http, false);
  wrap(https, true);
  Module.syncBuiltinESMExports();
}

// fetch.
const { fetch } = globalThis;
if (hosts.size > 0 && fetch) {
  globalThis.fetch = (resource, init) => {
    const request = new Request(resource, init);
    const url = new URL(request.url);
    const socket = socketOf(url.hostname, url.protocol === "https:");
    if (socket) {
      return fetched(request, url, socket);
    }
    const host = url.port ? url.host : `${url.hostname}:${url.protocol === "https:" ? 443 : 80}`;
    if (hosts.has(host)) {
      const header = inPlaceOf(request.headers.get("authorization") ?? undefined, host, url.pathname);
      if (header !== undefined) {
        request.headers.set("authorization", header);
      }
    }
    return fetch(request);
  };
}

/** The answer of one of Google's hosts, over Hearth's socket. */
async function fetched(request, url, socket) {
  const body = request.body ? Buffer.from(await request.arrayBuffer()) : undefined;
  return new Promise((resolve, reject) => {
    const { hostname, pathname, search } = url;
    const headers = { ...Object.fromEntries(request.headers), host: hostname };
    if (body) {
      headers["content-length"] = String(body.length);
    }
    const sent = plain({ socketPath: socket, method: request.method, path: pathname + search, headers, signal: request.signal }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => {
        const isEmpty = [101, 204, 205, 304].includes(answer.statusCode);
        resolve(new Response(isEmpty ? null : Buffer.concat(parts), { status: answer.statusCode, headers: new Headers(pairs(answer.rawHeaders)) }));
      });
    });
    sent.on("error", reject);
    authorized(sent, hostname).end(body);
  });
}

function pairs(raw) {
  return raw.filter((_, at) => at % 2 === 0).map((name, at) => [name, raw[2 * at + 1]]);
}

// gRPC.
const REQUESTS = [["makeUnaryRequest", 4], ["makeServerStreamRequest", 4], ["makeClientStreamRequest", 3], ["makeBidiStreamRequest", 3]];

function patchGrpc(Client, Metadata) {
  for (const [name, metadataAt] of REQUESTS) {
    const make = Client.prototype[name];
    Client.prototype[name] = function (...args) {
      const target = this.getChannel().getTarget().replace(/^[a-z]+:\/*/, "");
      if (!hosts.has(target)) {
        return make.apply(this, args);
      }
      const given = args[metadataAt] instanceof Metadata ? args[metadataAt] : undefined;
      const metadata = given ? given.clone() : new Metadata();
      const header = metadata.get("authorization")[0];
      if (header === undefined || !isOfUser(header)) {
        metadata.set("authorization", bearer());
      }
      args.splice(metadataAt, given ? 1 : 0, metadata);
      const last = args.length - 1;
      if (typeof args[last] === "function") {
        args[last] = bound(args[last]);
      }
      return keeps(make.apply(this, args));
    };
  }
}

const seen = new WeakSet();
const load = Module._load;
if (hosts.size > 0) {
  Module._load = function (request, parent, ...rest) {
    const loaded = load.call(this, request, parent, ...rest);
    const isFirst = () => !seen.has(loaded) && seen.add(loaded);
    // Before others of the package take functions of the class as they are.
    if (request === "./client" && /[\\/]@grpc[\\/]grpc-js[\\/]/.test(parent?.filename) && isFirst()) {
      patchGrpc(loaded.Client, load.call(this, "./metadata", parent, ...rest).Metadata);
    }
    return loaded;
  };
}

// Connections.
if (house.socket || closed.size > 0) {
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (...args) {
    const options = Array.isArray(args[0]) ? args[0][0] : args[0];
    const isAddress = typeof options === "object" && options !== null && !options.path;
    const host = isAddress && options.port !== undefined ? `${options.host ?? "127.0.0.1"}:${options.port}` : null;
    if (host !== null && closed.has(host)) {
      process.nextTick(() => this.destroy(new Error(`run_as = "caller": ${host} (the Realtime Database) has one connection for all calls, so it is closed to this function`)));
      return this;
    }
    if (house.socket && isAddress && String(options.host).endsWith(".googleapis.com")) {
      process.nextTick(() => this.destroy(new Error(`${options.host}: Hearth does not serve this Google API`)));
      return this;
    }
    if (host !== null && house.socket && hosts.has(host)) {
      Object.assign(options, { path: house.socket, host: undefined, port: undefined });
    }
    return connect.apply(this, args);
  };
}

// The Realtime Database's connection is TLS in production. One for all calls: it has the codebase's account, by its access token.
if (house.socket) {
  const { connect } = tls;
  tls.connect = (...args) => {
    const [first, second] = args;
    const host = typeof first === "object" ? `${first.host}:${first.port}` : `${second}:${first}`;
    if (!hosts.has(host) || closed.has(host)) {
      return connect(...args);
    }
    const socket = net.connect({ path: house.socket });
    const done = args.find((one) => typeof one === "function");
    if (done) {
      socket.once("secureConnect", done);
    }
    socket.once("connect", () => socket.emit("secureConnect"));
    return Object.assign(socket, { encrypted: true, authorized: true });
  };
}

/** Runs something on behalf of a call. */
exports.onBehalfOf = (credential, run) => (credential ? current.run(credential, run) : run());
