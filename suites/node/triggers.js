// A codebase of triggers that report what they were told: each event is a line of the file that EVENTS_FILE names.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { dev, eventually, folder, repository } from "./hearth.js";

const HEAD = `
const fs = require("node:fs");
const tell = (name, said) => fs.appendFileSync(process.env.EVENTS_FILE, JSON.stringify({ name, pid: process.pid, at: Date.now(), ...said }) + "\\n");
`;

/** A project with this code in its functions. */
export function codebase(code, { id = "demo-triggers", packages = join(repository, "suites/node/node_modules"), files = {}, json = {} } = {}) {
  const path = folder({
    "firebase.json": { functions: { source: "functions" }, ...json },
    ".firebaserc": { projects: { default: id } },
    ...files,
  });
  const source = join(path, "functions");
  mkdirSync(source);
  const events = join(path, "events.jsonl");
  writeFileSync(events, "");
  writeFileSync(join(source, "package.json"), JSON.stringify({ main: "index.js" }));
  writeFileSync(join(source, "index.js"), HEAD + code);
  writeFileSync(join(source, ".env"), `EVENTS_FILE=${events}\n`);
  symlinkSync(packages, join(source, "node_modules"));
  return { path, source, events };
}

/** Everything that functions have told so far, of one function or of all. */
export function told({ events }, name) {
  const lines = readFileSync(events, "utf8").split("\n").filter(Boolean);
  const all = lines.map((line) => JSON.parse(line));
  return name ? all.filter((line) => line.name === name) : all;
}

/** Waits until a function has told so many. */
export async function heard(project, name, count = 1, ms = 15_000) {
  await eventually(() => told(project, name).length >= count, `${name} is told ${count} events`, ms).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(told(project), null, 1)}`);
  });
  return told(project, name);
}

/** Hearth on a project, once its triggers are in force. */
export async function triggered(project, args = []) {
  const hearth = await dev({ path: project.path, args });
  await eventually(() => hearth.said().includes("triggers are in force"), "the codebase is loaded", 30_000).catch((error) => {
    throw new Error(`${error.message}: ${hearth.said()}`);
  });
  return hearth;
}
