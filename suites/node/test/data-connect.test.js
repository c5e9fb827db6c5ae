// Seed 002, snippet by snippet, through the unmodified SDKs: `firebase/data-connect` for clients, `firebase-admin` for servers. The
// names of tests are the rows of the Data Connect reference, §16. A PostgreSQL of Hearth's own runs below; without one all are
// skipped.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";

import { deleteApp } from "firebase/app";
import { setLogLevel } from "firebase/data-connect";
import { getDataConnect as adminDataConnect } from "firebase-admin/data-connect";

import { admin } from "../clients.js";
import { device as deviceOf, hasPostgres, load, project } from "../data-connect.js";
import { dev, eventually, hearthTest, log } from "../hearth.js";

const test = (name, run) => hearthTest(name, hasPostgres ? run : (t) => t.skip("PostgreSQL is not installed"));

setLogLevel("silent"); // refusals are what these tests provoke

const devices = [];
let hearth, path, server, blog, movies, anna, bob, guest, nobody;

async function device(email) {
  const one = await deviceOf(hearth, email);
  devices.push(one);
  return one;
}

before(async () => {
  if (!hasPostgres) return;
  path = project();
  hearth = await dev({ path, args: [] });
  hearth.dataconnect = `127.0.0.1:${hearth.ready.ports.dataconnect}`;
  process.env.DATA_CONNECT_EMULATOR_HOST = hearth.dataconnect;
  server = admin(hearth);
  blog = adminDataConnect({ location: "us-central1", serviceId: "blog", connector: "posts" }, server.app);
  movies = adminDataConnect({ location: "us-central1", serviceId: "movies", connector: "editors" }, server.app);
  [anna, bob, guest, nobody] = [
    await device("anna@example.test"),
    await device("bob@example.test"),
    await device(null),
    await device(undefined),
  ];
  await anna.mutate("SaveMe", { name: "Anna" });
  await bob.mutate("SaveMe", { name: "Bob" });
});
after(async () => {
  // Whoever is signed in has a timer that renews the token.
  await Promise.all(devices.map(({ app, auth }) => auth.signOut().then(() => deleteApp(app))));
  await hearth?.stop();
});

/** Whether the web SDK rejects with what it makes of a 401 or of another refusal. */
const refused = (call, code, message) =>
  assert.rejects(call, (error) => {
    assert.equal(error.code, code, error.message);
    if (message) assert.match(error.message, message);
    return true;
  });
const partial = (call, expected, data) =>
  assert.rejects(call, (error) => {
    assert.equal(error.code, "partial-error", error.message);
    assert.deepEqual(error.response.errors.map(({ path, message }) => [path.join("."), message]), expected);
    if (data) assert.deepEqual(error.response.data, data);
    return true;
  });

test("S1 the schema has the implied key and reference, and the database its default", async () => {
  const { data } = await blog.executeGraphql('mutation { post_insert(data: {authorUid: "' + anna.uid + '", text: "s1"}) }');
  assert.match(data.post_insert.id, /^[0-9a-f]{32}$/);
  const read = await blog.executeGraphqlRead(`query { post(id: "${data.post_insert.id}") { visibility author { uid name } } }`);
  assert.deepEqual(read.data.post, { visibility: "draft", author: { uid: anna.uid, name: "Anna" } });
  await blog.executeGraphql(`mutation { post_delete(id: "${data.post_insert.id}") }`);
});

test("S2 CreatePost inserts as its caller; an omitted visibility is the default, a null one an error of the field", async () => {
  const { post_insert } = await anna.mutate("CreatePost", { text: "s2" });
  const { post } = await anna.query("GetMyPost", { id: post_insert.id });
  assert.equal(post.visibility, "draft");
  assert.equal(post.author.uid, anna.uid);
  await partial(
    anna.mutate("CreatePost", { text: "s2", visibility: null }),
    [["post_insert", "SQL execution failed: a field that must not be null is null"]],
    { post_insert: null },
  );
  await refused(nobody.mutate("CreatePost", { text: "s2" }), "unauthorized", /unauthenticated/);
  const stranger = await device("stranger@example.test");
  await partial(stranger.mutate("CreatePost", { text: "s2" }), [
    ["post_insert", "SQL execution failed: a row that is referred to is not there"],
  ]);
  await anna.mutate("DeletePost", { id: post_insert.id });
});

test("S3 UpdatePost changes only its caller's posts, and leaves what is omitted", async () => {
  const { post_insert } = await anna.mutate("CreatePost", { text: "s3" });
  const { id } = post_insert;
  assert.deepEqual(await bob.mutate("UpdatePost", { id, text: "stolen" }), { post_update: null });
  assert.deepEqual(await anna.mutate("UpdatePost", { id, visibility: "public" }), { post_update: { id } });
  const { post } = await anna.query("GetMyPost", { id });
  assert.deepEqual([post.text, post.visibility], ["s3", "public"]);
  assert.ok(post.updatedAt > post.createdAt);
  await anna.mutate("DeletePost", { id });
});

test("S4 DeletePost deletes only its caller's posts", async () => {
  const { post_insert } = await anna.mutate("CreatePost", { text: "s4" });
  const { id } = post_insert;
  assert.deepEqual(await bob.mutate("DeletePost", { id }), { post_delete: null });
  assert.deepEqual(await anna.mutate("DeletePost", { id }), { post_delete: { id } });
  assert.deepEqual(await anna.mutate("DeletePost", { id }), { post_delete: null });
});

test("S5 the fragment DisplayPost is shared by the operations of the connector", async () => {
  const { post_insert } = await anna.mutate("CreatePost", { text: "s5", visibility: "public" });
  const { posts } = await nobody.query("ListPublicPosts");
  const found = posts.find(({ id }) => id === post_insert.id);
  assert.deepEqual(Object.keys(found), ["id", "text", "createdAt", "updatedAt", "author"]);
  await anna.mutate("DeletePost", post_insert);
});

test("S6 ListMyPosts as printed names the field that is not there; corrected it lists one's own", async () => {
  await broken("query ListMyPosts @auth(level: USER) {\nposts(where: {\nuserUid: {eq_expr: \"auth.uid\"}\n}) {\nid\nvisibility\n}\n}", /query\.gql:3:1.*userUid.*authorUid/s);
  const mine = await anna.mutate("CreatePost", { text: "s6" });
  await bob.mutate("CreatePost", { text: "s6 of bob" });
  const { posts } = await anna.query("ListMyPosts");
  assert.deepEqual(posts.map(({ author }) => author.uid), [anna.uid]);
  await anna.mutate("DeletePost", mine.post_insert);
});

test("S7 GetMyPost as printed does not parse; with both key and first it is refused; corrected it reads one's own", async () => {
  await broken("query GetMyPost($id: UUID!) @auth(level: USER) {\npost(key: {id: $id},\nfirst: {where: {\nid: {eq: $id}\nauthorUid: {eq_expr: \"auth.uid\"}}\n}}, {\nid\n}\n}", /query\.gql:6:/);
  await broken('query GetMyPost($id: UUID!) @auth(level: USER) { post(key: {id: $id}, first: {where: {id: {eq: $id}}}) { id } }', /key.*first|first.*key/s);
  const { post_insert } = await anna.mutate("CreatePost", { text: "s7" });
  assert.equal((await anna.query("GetMyPost", post_insert)).post.text, "s7");
  assert.equal((await bob.query("GetMyPost", post_insert)).post, null);
  await anna.mutate("DeletePost", post_insert);
});

test("S8 ListPublicPosts needs no user and shows what is published; PUBLIC with an expression is refused", async () => {
  const published = await anna.mutate("CreatePost", { text: "s8", visibility: "public" });
  const draft = await anna.mutate("CreatePost", { text: "s8 draft" });
  const ids = (await nobody.query("ListPublicPosts")).posts.map(({ id }) => id);
  assert.ok(ids.includes(published.post_insert.id) && !ids.includes(draft.post_insert.id));
  await broken('query Q @auth(level: PUBLIC, expr: "true") { users { uid } }', /both a level and an expression/);
  for (const one of [published, draft]) await anna.mutate("DeletePost", one.post_insert);
});

test("S9 ProListPosts as printed is no GraphQL; corrected it is for those with the claim", async () => {
  await broken("query ProListPosts @auth(expr: \"auth.token.plan == 'pro'\") {\nposts(where: {\nvisibility: {in: ['public', 'pro']},\n}) { id }\n}", /query\.gql:3:/);
  const { post_insert } = await anna.mutate("CreatePost", { text: "s9", visibility: "pro" });
  await refused(bob.query("ProListPosts"), "other", /unauthorized/);
  await refused(nobody.query("ProListPosts"), "other", /unauthorized/);
  await server.auth.setCustomUserClaims(bob.uid, { plan: "pro" });
  await bob.auth.currentUser.getIdToken(true);
  assert.ok((await bob.query("ProListPosts")).posts.some(({ id }) => id === post_insert.id));
  await server.auth.setCustomUserClaims(bob.uid, null);
  await refused(bob.query("ProListPosts"), "other", /unauthorized/);
  await bob.auth.currentUser.getIdToken(true);
  await anna.mutate("DeletePost", post_insert);
});

test("S10 ProTeaser shows the two newest of those that are older than 30 days", async () => {
  const day = 24 * 60 * 60 * 1000;
  for (const age of [10, 31, 40, 50]) {
    const publishedAt = new Date(Date.now() - age * day).toISOString();
    await blog.insert("post", { authorUid: anna.uid, text: `age ${age}`, visibility: "pro", publishedAt });
  }
  const { posts } = await bob.query("ProTeaser");
  assert.deepEqual(posts.map(({ text }) => text), ["age 31", "age 40"]);
  const deleted = await blog.executeGraphql('mutation { post_deleteMany(where: {visibility: {eq: "pro"}}) }');
  assert.equal(deleted.data.post_deleteMany, 4);
});

test("S11 AdminListPosts is for the claim true, not for a text", async () => {
  const as = (claims) => blog.executeQuery("AdminListPosts", undefined, { impersonate: { authClaims: { sub: "x", ...claims } } });
  assert.ok((await as({ admin: true })).data.posts);
  for (const claims of [{ admin: "true" }, { admin: false }, {}]) {
    await assert.rejects(as(claims), { code: "data-connect/permission-denied" });
  }
});

test("S12 the default check refuses null and an empty list", async () => {
  await partial(nobody.query("Empty", undefined, nobody.seed), [["user", "permission denied"]], { user: null });
  await partial(anna.mutate("DefaultCheck", undefined, anna.seed), [
    ["query.posts", "there is none"],
    ["user_upsert", "(aborted)"],
  ]);
});

test("S13 what is redacted is computed and checked, and not shown", async () => {
  const { users } = await nobody.query("Hidden", undefined, nobody.seed);
  assert.ok(users.length >= 2 && users.every((user) => Object.keys(user).join() === "uid"));
  await blog.upsert("user", { uid: "nobody", name: "nobody" });
  await partial(nobody.query("Hidden", undefined, nobody.seed), [["users", "nobody is among them"]], { users: null });
  await blog.executeGraphql('mutation { user_delete(key: {uid: "nobody"}) }');
});

test("S14 the key of MoviePermission as printed names no field; corrected it is movie and user", async () => {
  const file = join(path, "movies/schema/schema.gql");
  const good = readFileSync(file, "utf8");
  writeFileSync(file, good.replace('["movie", "userId"]', '["doc", "userId"]'));
  await eventually(() => /schema\.gql:6:\d+.*`doc`/.test(hearth.said()), "the place of `doc` is said", 15_000);
  // What was good is still served.
  assert.ok((await nobody.query("ListMovies", undefined, nobody.editors)).movies);
  writeFileSync(file, good);
  const { data } = await movies.executeGraphql('mutation { movie_insert(data: {title: "s14"}) }');
  const key = await movies.executeGraphql(
    `mutation { moviePermission_insert(data: {movieId: "${data.movie_insert.id}", userId: "u", role: "viewer"}) }`,
  );
  assert.deepEqual(key.data.moviePermission_insert, { movieId: data.movie_insert.id, userId: "u" });
  await movies.executeGraphql(`mutation { movie_delete(id: "${data.movie_insert.id}") }`);
});

/** A movie with a role for Anna, or none. */
async function movie(role) {
  const { data } = await movies.insert("movie", { title: "old" });
  const { id } = data.movie_insert;
  if (role) await movies.insert("moviePermission", { movieId: id, userId: anna.uid, role });
  const title = async () => (await movies.executeGraphqlRead(`query { movie(id: "${id}") { title } }`)).data.movie.title;
  return { id, title };
}
const EDITOR = "You must be an editor of this movie to update title";

test("S15 UpdateMovieTitle: no row, another role, an editor", async () => {
  for (const [role, at, message] of [
    [undefined, "query.moviePermission", "You do not have access to this movie"],
    ["viewer", "query.moviePermission.role", EDITOR],
  ]) {
    const { id, title } = await movie(role);
    await partial(
      anna.mutate("UpdateMovieTitle", { movieId: id, newTitle: "new" }, anna.editors),
      [[at, message], ["movie_update", "(aborted)"]],
      { movie_update: null },
    );
    assert.equal(await title(), "old");
  }
  const { id, title } = await movie("editor");
  assert.deepEqual(await anna.mutate("UpdateMovieTitle", { movieId: id, newTitle: "new" }, anna.editors), { movie_update: { id } });
  assert.equal(await title(), "new");
  await refused(nobody.mutate("UpdateMovieTitle", { movieId: id, newTitle: "x" }, nobody.editors), "unauthorized");
});

test("S16 AllMyPosts runs as it is written", async () => {
  const { post_insert } = await anna.mutate("CreatePost", { text: "s16" });
  const { posts } = await bob.query("AllMyPosts", { userId: anna.uid }, bob.seed);
  assert.ok(posts.some(({ id }) => id === post_insert.id));
  await anna.mutate("DeletePost", post_insert);
});

test("S17 ListDocuments has no table", () =>
  broken("query ListDocuments @auth(level: USER) {\ndocuments {\nid\ntitle\ntext\n}\n}", /query\.gql:2:1.*documents/s));

test("S18 the second DeletePost: an alias and a trailing comma; twice in one connector it is an error", async () => {
  const { post_insert } = await anna.mutate("CreatePost", { text: "s18" });
  assert.deepEqual(await nobody.mutate("PublicDelete", post_insert, nobody.seed), { post: post_insert });
  await broken("mutation D { user_deleteMany(all: true) }\nmutation D { post_deleteMany(all: true) }", /query\.gql:2:10.*D/s);
});

test("S19 the levels, for all kinds of callers", async () => {
  const may = async (device, name) => {
    try {
      await device.query(name, undefined, device.seed);
      return "yes";
    } catch (error) {
      return error.code === "unauthorized" ? "401" : "403";
    }
  };
  const verified = await device("verified@example.test");
  await server.auth.updateUser(verified.uid, { emailVerified: true });
  await verified.auth.currentUser.getIdToken(true);
  const table = {};
  for (const [who, one] of Object.entries({ nobody, guest, anna, verified })) {
    table[who] = [];
    for (const name of ["Public", "UserAnon", "User", "Verified", "NoAccess", "Unmarked"]) table[who].push(await may(one, name));
  }
  assert.deepEqual(table, {
    nobody: ["yes", "401", "401", "401", "403", "403"],
    guest: ["yes", "yes", "401", "401", "403", "403"],
    anna: ["yes", "yes", "yes", "401", "403", "403"],
    verified: ["yes", "yes", "yes", "yes", "403", "403"],
  });
});

test("S20 the levels as expressions, with nil", async () => {
  assert.ok(await guest.query("CelAnon", undefined, guest.seed));
  await refused(nobody.query("CelAnon", undefined, nobody.seed), "other");
  assert.ok(await anna.query("CelUser", undefined, anna.seed));
  await refused(guest.query("CelUser", undefined, guest.seed), "other");
});

test("S21 an omitted variable is not there, a null one is", async () => {
  await refused(anna.query("HasStatus", {}, anna.seed), "other");
  assert.deepEqual(await anna.query("HasStatus", { status: null }, anna.seed), { users: [] });
  await broken('mutation Update($id: String!, $status: String) @auth(expr: "has(vars.status)")', /query\.gql:1:/);
});

test("S22 a mutation without a body does not parse", () =>
  broken('mutation StringType($v: String!) @auth(expr: "vars.v in [\'a\', \'b\']")', /query\.gql:1:/));

test("S23 request.operationName is the kind; misspelt it is an error", async () => {
  assert.ok(await anna.query("IsQuery", undefined, anna.seed));
  await refused(anna.query("IsMutation", undefined, anna.seed), "other");
  await broken('query Q @auth(expr: "request.operarationName == \'query\'") { users { uid } }', /operarationName/);
});

test("S24 a check below null is not reached, and so fails with its message", async () => {
  await partial(
    anna.mutate("InnerOnly", { movieId: "nobody-at-all" }, anna.seed),
    [["query.user.name", "You must be an editor"], ["user_upsert", "(aborted)"]],
  );
});

test("S25 a nested check is for every row; an optional one may be reached by none", async () => {
  const { post_insert } = await anna.mutate("CreatePost", { text: "s25" });
  assert.ok((await nobody.query("Nested", undefined, nobody.seed)).posts.length > 0);
  await blog.upsert("user", { uid: "unnamed" });
  const { data } = await blog.insert("post", { authorUid: "unnamed", text: "s25" });
  await partial(nobody.query("Nested", undefined, nobody.seed), [["posts.author.name", "an author has no name"]], { posts: null });
  await blog.executeGraphql(`mutation { post_delete(id: "${data.post_insert.id}") user_delete(key: {uid: "unnamed"}) }`);
  await anna.mutate("DeletePost", post_insert);
});

test("S26 UpdateMovieTitle2: a list with exists; what was looked up is shown", async () => {
  const viewed = await movie("viewer");
  await partial(anna.mutate("UpdateMovieTitle2", { movieId: viewed.id, newTitle: "new" }, anna.editors), [
    ["query.moviePermissions", EDITOR],
    ["movie_update", "(aborted)"],
  ]);
  assert.equal(await viewed.title(), "old");
  const { id } = await movie("editor");
  assert.deepEqual(await anna.mutate("UpdateMovieTitle2", { movieId: id, newTitle: "new" }, anna.editors), {
    query: { moviePermissions: [{ role: "editor" }] },
    movie_update: { id },
  });
});

test("S27 UpsertUser is for whoever is signed in, as joe", async () => {
  const joe = await device("joe@example.test");
  assert.deepEqual(await joe.mutate("UpsertUser", { username: "joe" }, joe.seed), { user_upsert: { uid: joe.uid } });
  await refused(joe.mutate("UpsertUser", { username: "jim" }, joe.seed), "other");
  await refused(nobody.mutate("UpsertUser", { username: "joe" }, nobody.seed), "other");
});

test("S28 the operators", async () => {
  assert.ok(await anna.query("Operators", { n: 3 }, anna.seed));
  await refused(anna.query("Operators", { n: 4 }, anna.seed), "other");
});

test("S29 the fields of ID tokens", async () => {
  assert.ok(await anna.query("TokenEmail", undefined, anna.seed));
  await refused(guest.query("TokenEmail", undefined, guest.seed), "other");
});

test("S30 a call without an App Check token is served where it is not enforced", async () => {
  assert.ok(await nobody.query("Public", undefined, nobody.seed));
});

test("S31 the role of data traffic cannot change tables", async () => {
  const password = readFileSync(join(path, ".hearth/postgres/password"), "utf8");
  const psql = (sql) =>
    spawnSync("psql", ["-h", join(path, ".hearth/postgres/socket"), "-U", "hearth_data", "-d", "blog", "-c", sql], {
      encoding: "utf8",
      env: { ...process.env, PGPASSWORD: password },
    });
  assert.match(psql("SELECT count(*) FROM post").stdout, /1 row/);
  assert.match(psql("DROP TABLE post").stderr, /must be owner/);
  assert.match(psql("CREATE TABLE evil (id int)").stderr, /permission denied/);
  assert.match(psql("DELETE FROM hearth.record").stderr, /permission denied/);
});

/** Whether the Admin SDK is refused a text, with its place. */
async function broken(text, message) {
  await assert.rejects(blog.executeGraphql(text), (error) => {
    assert.equal(error.code, "data-connect/invalid-argument", error.message);
    assert.match(error.message, message);
    return true;
  });
}

test("every call has its line: who, the operation, the guard's place, the check's path and type", async () => {
  const { id } = await movie("viewer");
  await assert.rejects(anna.mutate("UpdateMovieTitle", { movieId: id, newTitle: "logged" }, anna.editors));
  const data = join(path, ".hearth");
  const denied = await log(data, ["--service", "dataconnect", "--who", anna.uid, "--verdict", "deny"], (events) =>
    events.some(({ path }) => path.endsWith("/UpdateMovieTitle/query/moviePermission/role")),
  );
  const last = denied.filter(({ path }) => path.endsWith("/role")).at(-1);
  assert.equal(last.method, "check");
  assert.equal(last.path, "/services/movies/connectors/editors/operations/UpdateMovieTitle/query/moviePermission/role");
  assert.deepEqual(last.details, { message: EDITOR, this: "string" });
  assert.match(last.causes[0].at, /^movies\/editors\/operations\.gql:\d+:\d+$/);
  assert.equal(last.causes[0].expression, "this == 'editor'");
  const editor = await movie("editor");
  await anna.mutate("UpdateMovieTitle", { movieId: editor.id, newTitle: "logged" }, anna.editors);
  const ofGuard = ({ method, path }) => method === "mutation" && path.endsWith("/UpdateMovieTitle");
  const allowed = await log(data, ["--service", "dataconnect", "--who", anna.uid, "--verdict", "allow"], (events) =>
    events.some(({ path, details }) => path.includes("/UpdateMovieTitle") && details?.commit),
  );
  const guard = allowed.filter(ofGuard).at(-1);
  assert.match(guard.rule, /^movies\/editors\/operations\.gql:6:\d+$/);
});

test("an administrator's token is nobody's as a client's", async () => {
  const url = `http://${hearth.dataconnect}/v1/projects/p/locations/l/services/blog/connectors/seed:executeQuery`;
  const call = (headers) => fetch(url, { method: "POST", headers, body: JSON.stringify({ operationName: "NoAccess" }) });
  assert.equal((await call({ "X-Firebase-Auth-Token": "owner" })).status, 401);
  assert.equal((await call({ "X-Firebase-Auth-Token": "nonsense" })).status, 401);
  assert.equal((await call({})).status, 403);
  const text = `http://${hearth.dataconnect}/v1/projects/p/locations/l/services/blog:executeGraphql`;
  const asUser = { Authorization: `Bearer ${await anna.auth.currentUser.getIdToken()}` };
  const answer = await fetch(text, { method: "POST", headers: asUser, body: JSON.stringify({ query: "query { users { uid } }" }) });
  assert.equal(answer.status, 403);
});

test("variables that do not fit are named, in an answer of 200", async () => {
  await partial2(anna.mutate("UpdatePost", {}), /\$id` is missing/);
  await partial2(anna.mutate("UpdatePost", { id: null }), /\$id` is null/);
  await partial2(anna.mutate("UpdatePost", { id: "no uuid" }), /\$id` is invalid/);
  await partial2(anna.mutate("DeletePost", { id: "0".repeat(32), more: 1 }), /\$more/);
  // A stranger learns nothing of variables.
  await refused(nobody.mutate("UpdatePost", {}), "unauthorized");
});
const partial2 = (call, message) =>
  assert.rejects(call, (error) => {
    assert.equal(error.code, "partial-error", error.message);
    assert.match(error.response.errors[0].message, message);
    return true;
  });

test("a permission row that is taken away holds from its answer on", async () => {
  for (let round = 0; round < 5; round++) {
    const { id, title } = await movie("editor");
    const operation = round % 2 ? "UpdateMovieTitle" : "UpdateMovieTitle2";
    const editors = load((newTitle) => anna.mutate(operation, { movieId: id, newTitle }, anna.editors));
    await eventually(() => editors.done.answered.length > 4, "the editors write", 20_000);
    await movies.executeGraphql(`mutation { moviePermission_delete(key: {movieId: "${id}", userId: "${anna.uid}"}) }`);
    const last = await title();
    const before = editors.done.refused;
    await eventually(() => editors.done.refused > before + 8, "they are refused", 20_000);
    await editors.stop();
    assert.equal(await title(), last, "nothing is written after the answer");
  }
});

test("a claim that is taken away holds from its answer on, also for tokens from before; so does a disabled account", async () => {
  const name = async () =>
    (await blog.executeGraphqlRead(`query { user(key: {uid: "${writer.uid}"}) { name } }`)).data.user.name;
  const writer = await device("writer@example.test");
  for (const take of [
    () => server.auth.setCustomUserClaims(writer.uid, null),
    () => server.auth.setCustomUserClaims(writer.uid, { plan: "free" }),
    () => server.auth.updateUser(writer.uid, { disabled: true }),
  ]) {
    await server.auth.setCustomUserClaims(writer.uid, { plan: "pro" });
    await writer.auth.currentUser.getIdToken(true);
    const writes = load((name) => writer.mutate("ProWrite", { name }, writer.seed));
    await eventually(() => writes.done.answered.length > 4, "writes are answered", 20_000);
    await take();
    const last = await name();
    const before = writes.done.refused;
    await eventually(() => writes.done.refused > before + 8, "they are refused", 20_000);
    await writes.stop();
    assert.equal(await name(), last, "nothing is written after the answer");
  }
});

test("one anonymous client that asks for much leaves connections to the others", async () => {
  const url = `http://${hearth.dataconnect}/v1/projects/p/locations/l/services/blog/connectors/seed:executeQuery`;
  const hangUp = new AbortController();
  const crowd = Array.from({ length: 300 }, () =>
    fetch(url, { method: "POST", body: JSON.stringify({ operationName: "Public" }), signal: hangUp.signal }).then(
      (answer) => answer.status,
      () => 0,
    ),
  );
  const began = Date.now();
  assert.ok((await anna.query("ListMyPosts")).posts);
  assert.ok(Date.now() - began < 5_000, "a neighbour is answered");
  hangUp.abort();
  const statuses = new Set(await Promise.all(crowd));
  for (const status of statuses) assert.ok([0, 200, 429].includes(status), String(status));
  assert.ok((await nobody.query("Public", undefined, nobody.seed)).users);
});

test("what is not there is not found, and a query is no mutation", async () => {
  await Promise.all(["Missing", "CreatePost"].map((name) => refused(nobody.query(name), "other")));
  const missing = adminDataConnect({ location: "l", serviceId: "missing", connector: "posts" }, server.app);
  await assert.rejects(missing.executeGraphql("query { users { uid } }"), { code: "data-connect/not-found" });
  await assert.rejects(blog.executeGraphqlRead("mutation { user_deleteMany(all: true) }"), { code: "data-connect/permission-denied" });
  await assert.rejects(blog.executeGraphql("query A { users { uid } } query B { users { uid } }"), /operationName is required/);
});
