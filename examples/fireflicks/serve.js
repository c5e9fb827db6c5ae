// Serves the page, after it has seen to the movies and to two people: maria, a moderator, and ben.
//
//   hearth dev examples/fireflicks    # in one terminal
//   npm run web                       # in another; then open the address that it prints
//
// Hearth's addresses come from the variables that Firebase's own tools use; the defaults are the usual ports.

import { createReadStream, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { initializeApp } from "firebase-admin/app";
import { getAuth } from "firebase-admin/auth";
import { getFirestore } from "firebase-admin/firestore";

const projectId = process.env.GCLOUD_PROJECT ?? "demo-fireflicks";
const authHost = (process.env.FIREBASE_AUTH_EMULATOR_HOST ??= "127.0.0.1:9099");
const firestoreHost = (process.env.FIRESTORE_EMULATOR_HOST ??= "127.0.0.1:8080");
const functionsHost = process.env.FUNCTIONS_EMULATOR_HOST ?? "127.0.0.1:5001";
const port = Number(process.env.PORT ?? 5000);
const here = fileURLToPath(new URL(".", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".json": "application/json" };

const app = initializeApp({ projectId });
const store = getFirestore(app);
const { movies } = JSON.parse(readFileSync(join(here, "seed.json"), "utf8"));
await Promise.all(Object.entries(movies).map(([id, movie]) => store.doc(`movies/${id}`).set(movie)));
for (const [uid, claims] of [["maria", { moderator: true }], ["ben", null]]) {
  const user = { uid, email: `${uid}@example.com`, password: "correct horse" };
  await getAuth(app).createUser(user).catch((error) => {
    if (!/already-exists$/.test(error.code)) throw error;
  });
  await getAuth(app).setCustomUserClaims(uid, claims);
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/settings.json") {
    response.writeHead(200, { "Content-Type": TYPES[".json"] });
    response.end(JSON.stringify({ projectId, authHost, firestoreHost, functionsHost }));
    return;
  }
  // The SDK as it comes from npm: builds for browsers that need no bundler.
  const sdk = /^\/sdk\/(firebase-(?:app|auth|firestore-lite|functions)\.js)$/.exec(pathname);
  const file = sdk ? join(here, "node_modules/firebase", sdk[1]) : join(here, "web", normalize(pathname === "/" ? "index.html" : pathname));
  const isFile = await stat(file).then((found) => found.isFile(), () => false);
  if (!isFile) {
    response.writeHead(404).end("There is no such file.\n");
    return;
  }
  response.writeHead(200, { "Content-Type": `${TYPES[extname(file)] ?? "text/plain"}; charset=utf-8` });
  createReadStream(file).pipe(response);
});
server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
