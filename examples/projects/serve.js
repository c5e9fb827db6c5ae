// Fills the database and serves the page.
//
//   hearth dev examples/projects      # in one terminal
//   npm start                         # in another; then open the address that it prints
//
// Hearth's addresses come from the variables that Firebase's own tools use; the defaults are the usual ports.

import { createReadStream, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { initializeApp } from "firebase-admin/app";
import { getAuth } from "firebase-admin/auth";
import { getDatabase } from "firebase-admin/database";

const projectId = process.env.GCLOUD_PROJECT ?? "demo-projects";
const authHost = (process.env.FIREBASE_AUTH_EMULATOR_HOST ??= "127.0.0.1:9099");
const databaseHost = (process.env.FIREBASE_DATABASE_EMULATOR_HOST ??= "127.0.0.1:9000");
const port = Number(process.env.PORT ?? 5000);
const databaseURL = `http://${databaseHost}/?ns=${projectId}-default-rtdb`;

const PASSWORD = "correct horse";
const here = fileURLToPath(new URL(".", import.meta.url));

await seed();

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/settings.js") {
    const settings = { projectId, databaseURL, authHost, databaseHost, password: PASSWORD };
    response.writeHead(200, { "Content-Type": TYPES[".js"] }).end(`export default ${JSON.stringify(settings)};\n`);
    return;
  }
  // The SDK as it comes from npm: builds for browsers that need no bundler.
  const sdk = /^\/sdk\/(firebase-(?:app|auth|database)\.js)$/.exec(pathname);
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

/** Users with the ids that the data has, and the data. An administrator passes the rules. */
async function seed() {
  const app = initializeApp({ projectId, databaseURL });
  const data = JSON.parse(readFileSync(join(here, "seed.json"), "utf8"));
  for (const [uid, { name }] of Object.entries(data.users)) {
    const user = { uid, email: `${uid}@example.com`, password: PASSWORD, displayName: name };
    await getAuth(app).createUser(user).catch((error) => {
      if (error.code !== "auth/uid-already-exists" && error.code !== "auth/email-already-exists") throw error;
    });
  }
  await getDatabase(app).ref().set(data);
  await getDatabase(app).goOffline();
}
