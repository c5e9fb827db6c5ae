// Starts the real binary for one test file and gives out what the tests need of it.
//
// With HEARTH_SUITE_AGAINST="auth-host:port,firestore-host:port,project" the same tests run against servers that are up
// already, the official emulators for instance: that keeps the expectations honest. Tests of what only Hearth has are skipped.

import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import nodeTest, { after } from "node:test";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
export const binary = process.env.HEARTH_BIN ?? join(repository, "target/debug/hearth");
const START_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;

/** Rules for files that are not about Firestore. */
export const CLOSED = `service cloud.firestore {
  match /databases/{database}/documents {
    match /{document=**} { allow read, write: if false; }
  }
}`;

/** Who runs. Whatever a failed test left running ends with its file. */
const running = new Set();
after(() => running.forEach((child) => child.kill("SIGKILL")));
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

const skips = JSON.parse(readFileSync(new URL("skips.json", import.meta.url), "utf8"));
const peer = process.env.HEARTH_SUITE_AGAINST?.split(",");

/** A test; skipped with its reason when skips.json lists it. */
export function test(name, run) {
  const skip = skips.find((entry) => entry.test === name)?.reason;
  return nodeTest(name, { skip, timeout: 60_000 }, run);
}

/** A test of what only Hearth does, or does right. */
export function hearthTest(name, run) {
  return peer ? nodeTest(name, { skip: "only Hearth does this" }, run) : test(name, run);
}

/** Whether the tests run against somebody else's server. */
export const againstPeer = peer !== undefined;

/** A project's folder: the files given, by name. */
export function folder(files) {
  const path = mkdtempSync(join(tmpdir(), "hearth-suite-"));
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(path, name), typeof text === "string" ? text : JSON.stringify(text));
  }
  return path;
}

/** A copy of an example's project files, to be edited and thrown away. */
export function example(name) {
  const path = folder({});
  for (const file of ["firebase.json", ".firebaserc", "firestore.rules", "firestore.indexes.json", "storage.rules", "seed-verbatim.rules"]) {
    const from = join(repository, "examples", name, file);
    if (existsSync(from)) {
      cpSync(from, join(path, file));
    }
  }
  return path;
}

/** Starts `hearth dev` on free ports and points the Admin SDKs of this process at it. */
export async function dev({ project = "demo-suite", rules, path, args = ["--ephemeral"] } = {}) {
  if (peer) {
    return against(rules ?? readFileSync(join(path, "firestore.rules"), "utf8"));
  }
  const dir =
    path ??
    folder({
      "firebase.json": { firestore: { rules: "firestore.rules" } },
      ".firebaserc": { projects: { default: project } },
      "firestore.rules": rules,
    });
  const server = await start(["dev", dir, "--ports", "all=0", "--json", ...args]);
  const { ports } = server.ready;
  const hearth = {
    ...server,
    folder: dir,
    project: server.ready.project,
    auth: `127.0.0.1:${ports.auth}`,
    firestore: `127.0.0.1:${ports.firestore}`,
    storage: `127.0.0.1:${ports.storage}`,
    database: `127.0.0.1:${ports.database}`,
    hub: `127.0.0.1:${ports.hub}`,
    async stop() {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  pointAdminAt(hearth);
  return hearth;
}

/** Starts the binary with arguments that include --json; resolves when it says that it is ready. */
export function start(args) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  let said = "";
  child.stderr.on("data", (chunk) => (said += chunk));
  const exited = new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  const stop = async (signal = "SIGTERM") => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    const end = await exited;
    clearTimeout(timer);
    return end;
  };
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail("was not ready in time"), START_MS_MAX);
    const fail = (why) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`hearth ${args.join(" ")} ${why}: ${said}`));
    };
    child.once("error", (error) => fail(String(error)));
    const early = (code) => fail(`ended with ${code}`);
    child.once("exit", early);
    createInterface({ input: child.stdout }).on("line", (line) => {
      let ready;
      try {
        ready = JSON.parse(line);
      } catch {
        return;
      }
      if (ready.ready) {
        clearTimeout(timer);
        child.off("exit", early);
        resolve({ ready, stop, pid: child.pid, exited, said: () => said });
      }
    });
  });
}

/** Runs a verb to its end. */
export function run(args) {
  const { status, stdout, stderr } = spawnSync(binary, args, { encoding: "utf8", timeout: START_MS_MAX });
  return { status, stdout, stderr };
}

/** The access log's events for some question, asked until `enough` is content with them. */
export async function log(data, question, enough = () => true) {
  let events = [];
  let last = "";
  for (const until = Date.now() + 5_000; Date.now() < until; await sleep(50)) {
    const { status, stdout, stderr } = run(["log", "--data", data, "--json", ...question]);
    last = stderr;
    if (status === 0) {
      events = stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
      if (enough(events)) {
        return events;
      }
    }
  }
  throw new Error(`hearth log ${question.join(" ")} had not enough: ${JSON.stringify(events, null, 1)}\n${last}`);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until a condition holds. */
export async function eventually(condition, what, ms = 5_000) {
  for (const until = Date.now() + ms; Date.now() < until; await sleep(25)) {
    if (await condition()) {
      return;
    }
  }
  throw new Error(`did not happen within ${ms} ms: ${what}`);
}

/** Replaces the rules of a running server through the interface of the official emulator. */
export async function putRules(hearth, text) {
  const url = `http://${hearth.firestore}/emulator/v1/projects/${hearth.project}:securityRules`;
  const body = JSON.stringify({ rules: { files: [{ name: "firestore.rules", content: text }] } });
  return fetch(url, { method: "PUT", body, headers: { "content-type": "application/json" } });
}

function pointAdminAt({ auth, firestore, storage, project }) {
  process.env.FIREBASE_AUTH_EMULATOR_HOST = auth;
  process.env.FIRESTORE_EMULATOR_HOST = firestore;
  if (storage) {
    process.env.FIREBASE_STORAGE_EMULATOR_HOST = storage;
  }
  process.env.GCLOUD_PROJECT = project;
}

async function against(rules) {
  const [auth, firestore, project] = peer;
  const hearth = { auth, firestore, project, said: () => "", async stop() {} };
  pointAdminAt(hearth);
  const answer = await putRules(hearth, rules);
  if (!answer.ok) {
    throw new Error(`the server refused the rules: ${await answer.text()}`);
  }
  await fetch(`http://${firestore}/emulator/v1/projects/${project}/databases/(default)/documents`, { method: "DELETE" });
  await fetch(`http://${auth}/emulator/v1/projects/${project}/accounts`, { method: "DELETE" });
  return hearth;
}
