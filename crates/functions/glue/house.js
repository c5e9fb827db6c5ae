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
const http = require("node:http");
const https = require("node:https");
const Module = require("node:module");
const net = require("node:net");

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
    if (isSecure && google.has(name)) {
      // Answered by Hearth: without TLS, on its socket.
      const { agent, port, protocol, ...rest } = options;
      const to = { ...rest, socketPath: house.socket, host: name, hostname: name, agent: undefined, setHost: false };
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
    if (url.protocol === "https:" && google.has(url.hostname)) {
      return fetched(request, url);
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
async function fetched(request, url) {
  const body = request.body ? Buffer.from(await request.arrayBuffer()) : undefined;
  return new Promise((resolve, reject) => {
    const { hostname, pathname, search } = url;
    const headers = { ...Object.fromEntries(request.headers), host: hostname };
    if (body) {
      headers["content-length"] = String(body.length);
    }
    const sent = plain({ socketPath: house.socket, method: request.method, path: pathname + search, headers, signal: request.signal }, (answer) => {
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

// gRPC, and the Realtime Database's connection.
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

/** One connection for all calls: it has the worker's identity. */
function patchWebsocket(Client) {
  const { send } = Client.prototype;
  Client.prototype.send = function (message) {
    const isOwner = typeof message === "string" && message.includes('"a":"gauth"') && message.includes('"cred":"owner"');
    return send.call(this, isOwner && house.token ? message.replace('"cred":"owner"', `"cred":"${house.token}"`) : message);
  };
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
    } else if (request === "faye-websocket" && isFirst()) {
      patchWebsocket(loaded.Client);
    }
    return loaded;
  };
}

// Connections.
if (house.socket || closed.size > 0) {
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (...args) {
    const options = Array.isArray(args[0]) ? args[0][0] : args[0];
    const host = typeof options === "object" && options !== null && options.port !== undefined ? `${options.host ?? "127.0.0.1"}:${options.port}` : null;
    if (host !== null && closed.has(host)) {
      process.nextTick(() => this.destroy(new Error(`run_as = "caller": ${host} (the Realtime Database) has one connection for all calls, so it is closed to this function`)));
      return this;
    }
    if (house.socket && typeof options?.host === "string" && options.host.endsWith(".googleapis.com")) {
      process.nextTick(() => this.destroy(new Error(`${options.host}: Hearth does not serve this Google API`)));
      return this;
    }
    if (host !== null && house.socket && hosts.has(host)) {
      Object.assign(options, { path: house.socket, host: undefined, port: undefined });
    }
    return connect.apply(this, args);
  };
}

/** Runs something on behalf of a call. */
exports.onBehalfOf = (credential, run) => (credential ? current.run(credential, run) : run());
