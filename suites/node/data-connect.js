// A project of Data Connect for tests: both examples, and a connector for the rest of the seed; and devices that ask it.

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createUserWithEmailAndPassword, signInAnonymously } from "firebase/auth";
import {
  connectDataConnectEmulator,
  executeMutation,
  executeQuery,
  getDataConnect,
  mutationRef,
  queryRef,
  QueryFetchPolicy,
} from "firebase/data-connect";

import { client } from "./clients.js";
import { repository } from "./hearth.js";

/** Whether a server of PostgreSQL can be made here. */
export const hasPostgres = spawnSync("sh", ["-c", "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb"]).status === 0;

const POSTS = { service: "blog", connector: "posts", location: "us-central1" };
const EDITORS = { service: "movies", connector: "editors", location: "us-central1" };
const SEED = { service: "blog", connector: "seed", location: "us-central1" };

/** Both examples as one project with two services, and a connector for the rest of the seed. */
export function project() {
  const path = mkdtempSync(join(tmpdir(), "hearth-dc-"));
  // PostgreSQL refuses to run as root, and as another user it must be able to come in.
  chmodSync(path, 0o755);
  for (const name of ["blog", "movies"]) {
    cpSync(join(repository, "examples", name, "dataconnect"), join(path, name), { recursive: true });
  }
  const yaml = join(path, "blog/dataconnect.yaml");
  writeFileSync(yaml, readFileSync(yaml, "utf8").replace('["./posts"]', '["./posts", "./seed"]'));
  write(path, "blog/seed/connector.yaml", "connectorId: seed\n");
  write(path, "blog/seed/operations.gql", OPERATIONS);
  write(path, "firebase.json", JSON.stringify({ dataconnect: [{ source: "blog" }, { source: "movies" }] }));
  write(path, ".firebaserc", JSON.stringify({ projects: { default: "demo-data-connect" } }));
  return path;
}

function write(path, name, text) {
  const file = join(path, name);
  spawnSync("mkdir", ["-p", join(file, "..")]);
  writeFileSync(file, text);
}

/** What the seed says in prose or as an anti-pattern, in a connector of its own. */
const OPERATIONS = `
query AllMyPosts($userId: String!) @auth(level: USER) {
  posts(where: {authorUid: {eq: $userId}}) { id, text, createdAt }
}
mutation PublicDelete($id: UUID!) @auth(level: PUBLIC, insecureReason: "a test") {
  post: post_delete(id: $id,)
}
query Public @auth(level: PUBLIC, insecureReason: "a test") { users { uid } }
query UserAnon @auth(level: USER_ANON) { users { uid } }
query User @auth(level: USER) { users { uid } }
query Verified @auth(level: USER_EMAIL_VERIFIED) { users { uid } }
query NoAccess @auth(level: NO_ACCESS) { users { uid } }
query Unmarked { users { uid } }
query CelAnon @auth(expr: "auth.uid != nil") { users { uid } }
query CelUser @auth(expr: "auth.uid != nil && auth.token.firebase.sign_in_provider != 'anonymous'") { users { uid } }
query HasStatus($status: String) @auth(expr: "has(vars.status)") { users(where: {name: {eq: $status}}) { uid } }
query IsMutation @auth(expr: "request.operationName == 'mutation'") { users { uid } }
query IsQuery @auth(expr: "request.operationName == 'query'") { users { uid } }
mutation UpsertUser($username: String!) @auth(expr: "(auth != null) && (vars.username == 'joe')") {
  user_upsert(data: {uid_expr: "auth.uid", name: $username})
}
query TokenEmail @auth(expr: "auth.token.email.endsWith('@example.test') && auth.token.firebase.identities.email[0] == auth.token.email") {
  users { uid }
}
query Operators($n: Int!) @auth(expr: "(vars.n + 1) * 2 == 8 && vars.n in [3, 4] && type(vars.n) == int && !(vars.n < 1)") { users { uid } }
query Hidden @auth(level: PUBLIC, insecureReason: "a test") {
  users @check(expr: "this.all(u, u.name != 'nobody')", message: "nobody is among them") { uid name @redact }
}
query Nested @auth(level: PUBLIC, insecureReason: "a test") {
  posts { author { name @check(expr: "this != null", message: "an author has no name", optional: true) } text }
}
query Empty @auth(level: PUBLIC, insecureReason: "a test") {
  user(key: {uid: "nobody-at-all"}) @check { uid }
}
mutation DefaultCheck @auth(level: USER) @transaction {
  query { posts(where: {text: {eq: "no such text"}}) @check(message: "there is none") { id } }
  user_upsert(data: {uid_expr: "auth.uid", name: "changed"})
}
mutation ProWrite($name: String!) @auth(expr: "auth.token.plan == 'pro'") { user_upsert(data: {uid_expr: "auth.uid", name: $name}) }
mutation InnerOnly($movieId: String!) @auth(level: USER) {
  query @redact { user(key: {uid: $movieId}) { name @check(expr: "this == 'editor'", message: "You must be an editor") } }
  user_upsert(data: {uid_expr: "auth.uid", name: "written"})
}
`;

/** A device with a user of its own. */
export async function device(hearth, email) {
  const device = client(hearth);
  if (email === null) {
    await signInAnonymously(device.auth);
  } else if (email) {
    await createUserWithEmailAndPassword(device.auth, email, "secret-password");
  }
  const [host, port] = hearth.dataconnect.split(":");
  const at = (config) => {
    const connected = getDataConnect(device.app, config);
    connectDataConnectEmulator(connected, host, Number(port));
    return connected;
  };
  const [posts, editors, seed] = [POSTS, EDITORS, SEED].map(at);
  const of = (kind) => (name, variables, where = posts) =>
    (kind === "query" ? executeQuery(queryRef(where, name, variables), { fetchPolicy: QueryFetchPolicy.SERVER_ONLY }) : executeMutation(mutationRef(where, name, variables))).then(
      ({ data }) => data,
    );
  return { ...device, uid: device.auth.currentUser?.uid, posts, editors, seed, query: of("query"), mutate: of("mutation") };
}

/** Calls without a pause, four at a time, until it is stopped: what was answered, and what was refused. */
export function load(call) {
  const done = { answered: [], refused: 0 };
  let on = true;
  const one = async (worker) => {
    for (let n = 0; on; n++) {
      const text = `${worker}-${n}`;
      try {
        await call(text);
        done.answered.push(text);
      } catch {
        done.refused++;
      }
    }
  };
  const workers = [0, 1, 2, 3].map(one);
  const stop = async () => {
    on = false;
    await Promise.all(workers);
    return done;
  };
  return { done, stop };
}
