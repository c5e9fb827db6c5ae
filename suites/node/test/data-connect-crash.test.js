// Data Connect under `kill -9`: of Hearth and of PostgreSQL. Nothing that was acknowledged is lost, every mutation has its line in the
// log once, and a start needs no help.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { getDataConnect } from "firebase-admin/data-connect";

import { admin } from "../clients.js";
import { dev, eventually, hearthTest, log, repository, sleep } from "../hearth.js";

const ROUNDS = Number(process.env.HEARTH_KILLS ?? 3);
const hasPostgres = spawnSync("sh", ["-c", "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb"]).status === 0;
const test = (name, run) => hearthTest(name, hasPostgres ? run : (t) => t.skip("PostgreSQL is not installed"));

function project() {
  const path = mkdtempSync(join(tmpdir(), "hearth-dc-crash-"));
  chmodSync(path, 0o755);
  cpSync(join(repository, "examples/movies"), path, { recursive: true, filter: (file) => !/node_modules|\.hearth/.test(file) });
  return path;
}

/** Writes with eight in flight until it is stopped; remembers what was acknowledged. */
function writer(database, acknowledged, label) {
  let on = true;
  const one = async (worker) => {
    for (let n = 0; on; n++) {
      const title = `${label}-${worker}-${n}`;
      try {
        await database.insert("movie", { title });
        acknowledged.add(title);
      } catch {
        await sleep(5);
      }
    }
  };
  const workers = Array.from({ length: 8 }, (_, worker) => one(worker));
  return async () => {
    on = false;
    await Promise.all(workers);
  };
}

const titles = async (database) => {
  const { data } = await database.executeGraphqlRead("query { movies(limit: 100000) { title } }");
  return data.movies.map(({ title }) => title);
};

test("killed under load, Hearth and PostgreSQL lose nothing that was acknowledged, and the log is complete", async () => {
  const path = project();
  const data = join(path, ".hearth");
  const acknowledged = new Set();
  for (let round = 0; round < ROUNDS; round++) {
    const hearth = await dev({ path, args: [] });
    process.env.DATA_CONNECT_EMULATOR_HOST = `127.0.0.1:${hearth.ready.ports.dataconnect}`;
    const database = getDataConnect({ location: "l", serviceId: "movies", connector: "editors" }, admin(hearth).app);
    const before = await titles(database);
    for (const title of acknowledged) assert.ok(before.includes(title), `${title} is lost`);
    const known = acknowledged.size;
    const stop = writer(database, acknowledged, `round${round}`);
    await eventually(() => acknowledged.size > known + 30, "writes are acknowledged", 30_000);
    // PostgreSQL first: Hearth starts it again by itself.
    const postmaster = Number(readFileSync(join(data, "postgres/data/postmaster.pid"), "utf8").split("\n")[0]);
    process.kill(postmaster, "SIGKILL");
    await sleep(200);
    const after = acknowledged.size;
    await eventually(() => acknowledged.size > after + 20, "writes are acknowledged again", 40_000);
    process.kill(hearth.pid, "SIGKILL");
    await hearth.exited;
    await stop();
    await eventually(
      () => spawnSync("pgrep", ["-f", join(data, "postgres/data")]).status !== 0,
      "PostgreSQL ends with Hearth",
      20_000,
    );
  }
  const hearth = await dev({ path, args: [] });
  process.env.DATA_CONNECT_EMULATOR_HOST = `127.0.0.1:${hearth.ready.ports.dataconnect}`;
  const database = getDataConnect({ location: "l", serviceId: "movies", connector: "editors" }, admin(hearth).app);
  const rows = await titles(database);
  for (const title of acknowledged) assert.ok(rows.includes(title), `${title} is lost`);
  assert.equal(new Set(rows).size, rows.length);
  const lines = await log(data, ["--service", "dataconnect"], (events) => events.filter(({ details }) => details?.commit).length >= rows.length);
  const commits = lines.map(({ details }) => details?.commit).filter(Boolean);
  assert.equal(commits.length, rows.length, "each row has the line of its mutation");
  assert.equal(new Set(commits).size, commits.length, "and only one");
  await hearth.stop();
});
