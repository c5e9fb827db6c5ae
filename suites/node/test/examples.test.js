// The cases of the examples for the Realtime Database, through the SDK and a running server: what `hearth test` decides of
// rules, clients must get.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";

import { deleteApp, initializeApp, setLogLevel } from "firebase/app";
import * as database from "firebase/database";

import { binary, dev, folder, hearthTest, repository } from "../hearth.js";

const NAMESPACE = "examples";
const OWNER = { Authorization: "Bearer owner" };
const FILES = ["projects/tests/matrix.md", "projects/tests/corrections.md", "flamelink/tests/blocks.md"];

let hearth;
let address;
setLogLevel("silent");
const { log } = console;
console.log = (text, ...more) => String(text).startsWith("FIREBASE: ") || log(text, ...more); // why something is denied
before(async () => {
  const path = folder({
    "firebase.json": { database: { rules: "database.rules.json" } },
    ".firebaserc": { projects: { default: "demo-examples" } },
    "database.rules.json": { rules: {} },
  });
  hearth = await dev({ path });
  address = ["127.0.0.1", hearth.ready.ports.database];
});
after(() => hearth?.stop());

/** The fenced blocks of a case file: `{info, text}`. */
function blocks(text) {
  return [...text.matchAll(/^```(.+)\n([^]*?)^```$/gm)].map(([, info, text]) => ({ info, text }));
}

/** A case: who, what, where, with what, and the verdict. */
function parse(line) {
  const [, user, verb, path, details, verdict] = /^(\S+) (read|write|update) (\S+)(?: (.+?))? -> (allow|deny)(?::.*)?$/.exec(line);
  return { line, user, verb, path, details: details === undefined ? null : JSON.parse(details), verdict };
}

/** The rules of a block as the server takes them; null for a block of something else. */
function rulesOf({ info, text }, file) {
  const project = join(repository, "examples", file, "../..");
  const compiled = (path) => spawnSync(binary, ["bolt", "compile", path], { encoding: "utf8" }).stdout;
  if (info === "rules project bolt") return compiled(join(project, "database.rules.bolt"));
  if (info === "rules project realtime") return readFileSync(join(project, "database.rules.json"), "utf8");
  if (info.startsWith("rules file=")) return readFileSync(join(project, info.slice("rules file=".length)), "utf8");
  if (info === "json rules") return text;
  if (info === "json inner") return `{"rules": {\n${text}}}`;
  if (info !== "bolt") return null;
  const inline = join(folder({ "inline.bolt": text }), "inline.bolt");
  return compiled(inline);
}

const put = (path, body) =>
  fetch(`http://${address.join(":")}${path}.json?ns=${NAMESPACE}`, { method: "PUT", headers: OWNER, body });

/** Somebody's SDK: signed in with a token as `@firebase/rules-unit-testing` makes it. */
function client(name, users) {
  const { uid = name, provider = "password", token, ...claims } = users[name] ?? {};
  const app = initializeApp({ projectId: "demo-examples", databaseURL: `http://${address.join(":")}?ns=${NAMESPACE}` }, name);
  const db = database.getDatabase(app);
  const mockUserToken = { sub: uid, user_id: uid, firebase: { sign_in_provider: provider }, ...(token ?? claims) };
  database.connectDatabaseEmulator(db, ...address, name === "nobody" ? {} : { mockUserToken });
  return { app, db };
}

function query(place, { orderByChild, equalTo }) {
  return database.query(place, database.orderByChild(orderByChild), database.equalTo(equalTo));
}

async function verdictOf({ verb, path, details }, { db }) {
  const place = database.ref(db, path);
  const acts = {
    read: () => database.get(details ? query(place, details) : place),
    write: () => database.set(place, details),
    update: () => database.update(place, details),
  };
  return acts[verb]().then(() => "allow", (error) => (/permission.denied/i.test(`${error.code} ${error.message}`) ? "deny" : String(error)));
}

for (const file of FILES) {
  hearthTest(`the cases of ${file}`, async () => {
    const clients = new Map();
    let [users, data, isDirty, count, refusal] = [{}, null, true, 0, null];
    const differences = [];
    for (const block of blocks(readFileSync(join(repository, "examples", file), "utf8"))) {
      const rules = rulesOf(block, file);
      if (rules !== null) {
        const answer = await put("/.settings/rules", rules);
        refusal = answer.status === 200 ? null : (await answer.json()).error;
      } else if (block.info === "upload") {
        assert.equal(refusal.replace("Parse error: ", "").trim(), block.text.trim());
      } else if (block.info === "json users") {
        users = JSON.parse(block.text);
      } else if (block.info === "json data") {
        [data, isDirty] = [block.text, true];
      } else if (block.info === "cases") {
        assert.equal(refusal, null, "the rules before these cases");
        for (const one of block.text.trim().split("\n").map(parse)) {
          if (isDirty) assert.equal((await put("/", data)).status, 200);
          if (!clients.has(one.user)) clients.set(one.user, client(one.user, users));
          const found = await verdictOf(one, clients.get(one.user));
          isDirty = one.verb !== "read" && found !== "deny";
          count += 1;
          if (found !== one.verdict) differences.push(`${one.line}\n    found: ${found}`);
        }
      }
    }
    await Promise.all([...clients.values()].map(({ app }) => deleteApp(app)));
    assert.deepEqual(differences, []);
    assert.ok(count > 25, `${count} cases`);
  });
}
