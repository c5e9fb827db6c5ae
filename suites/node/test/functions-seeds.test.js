// The seeds' functions as printed: on the packages that they were written for, and with one mended import on those of today.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { createUserWithEmailAndPassword } from "firebase/auth";
import { getFirestore } from "firebase-admin/firestore";
import { connectFunctionsEmulator, getFunctions, httpsCallable } from "firebase/functions";

import { admin, address, client, unsigned } from "../clients.js";
import { dev, eventually, folder, hearthTest, repository, test } from "../hearth.js";

// As printed, but for the guide's own line break inside of a text.
const FETCH_DATA = `
exports.fetchData = functions.https.onRequest(async (req, res) => {
    try {
        const demo = await admin.firestore().collection('demo').get();
        const results = demo.docs.map(doc => ({
            name: doc.data().name
        }));
        res.status(200).json(results);
    } catch (error) {
        if (error.message === 'Unauthorized') {
            return res.status(401).send('Unauthorized');
        } else if (error.message === 'Forbidden') {
            return res.status(403).send('Forbidden');
        }
        console.error('Error:', error);
        res.status(500).json({ error: 'Internal Server Error' });
    }
});
`;
const ADD_ADMIN = `
async function grantModeratorRole(email) {
const user = await admin.auth().getUserByEmail(email); // 1
if (user.customClaims && user.customClaims.moderator === true) {
return;
} // 2
return admin.auth().setCustomUserClaims(user.uid, {
moderator: true
}); // 3
}
exports.addAdmin = functions.https.onCall((data, context) => {
if (context.auth.token.moderator !== true) { // 1
return {
error: "Request not authorized. User must be a moderator to fulfill request."
};
}; // 2
const email = data.email; // 3
return grantModeratorRole(email).then(() => {
return {
result: \`Request fulfilled! \${email} is now a moderator.\`
};
}); // 4
});
`;
/** Makes the next read of Firestore fail with a message, as the guide's code expects that it can. */
const FAULTS = `
const { collection } = admin.firestore.Firestore.prototype;
admin.firestore.Firestore.prototype.collection = function (name) {
  if (globalThis.fault) {
    throw new Error(globalThis.fault);
  }
  return collection.call(this, name);
};
exports.fault = functions.https.onRequest((req, res) => { globalThis.fault = req.query.text; res.send("set"); });
`;

const EDITIONS = [
  { name: "firebase-functions 5, verbatim", packages: "suites/functions-5/node_modules", root: "firebase-functions" },
  { name: "firebase-functions 7, with the one import mended", packages: "suites/node/node_modules", root: "firebase-functions/v1" },
];

for (const { name, packages, root } of EDITIONS) {
  if (!existsSync(join(repository, packages))) {
    test(`${name}`, (t) => t.skip(`\`./x setup\` installs ${packages}`));
    continue;
  }
  hearthTest(name, async (t) => {
    const path = folder({ "firebase.json": { functions: { source: "functions" } }, ".firebaserc": { projects: { default: "demo-seeds" } } });
    const source = join(path, "functions");
    mkdirSync(source);
    writeFileSync(join(source, "package.json"), JSON.stringify({ main: "index.js" }));
    const head = `const functions = require('${root}');\nconst admin = require('firebase-admin');\nadmin.initializeApp();\n`;
    writeFileSync(join(source, "index.js"), head + FETCH_DATA + ADD_ADMIN + FAULTS);
    symlinkSync(join(repository, packages), join(source, "node_modules"));
    const hearth = await dev({ path });
    t.after(() => hearth.stop());
    const one = { ...client(hearth), server: admin(hearth) };
    one.functions = getFunctions(one.app);
    connectFunctionsEmulator(one.functions, "127.0.0.1", hearth.ready.ports.functions);
    one.url = (name) => `http://127.0.0.1:${hearth.ready.ports.functions}/demo-seeds/us-central1/${name}`;

    await t.test(`fetchData and its three error paths`, async () => {
      await getFirestore(one.server.app).collection("demo").doc("a").set({ name: "Ada" });
      const ask = async () => {
        const answer = await fetch(one.url("fetchData"), { method: "POST" });
        return [answer.status, await answer.text()];
      };
      assert.deepEqual(await ask(), [200, '[{"name":"Ada"}]']);
      for (const [fault, expected] of [
        ["Unauthorized", [401, "Unauthorized"]],
        ["Forbidden", [403, "Forbidden"]],
        ["anything", [500, '{"error":"Internal Server Error"}']],
      ]) {
        await fetch(`${one.url("fault")}?text=${fault}`);
        assert.deepEqual(await ask(), expected);
      }
      await fetch(`${one.url("fault")}?text=`);
    });

    await t.test(`addAdmin through httpsCallable`, async () => {
      const { user } = await createUserWithEmailAndPassword(one.auth, address("maria"), "correct horse");
      const addAdmin = httpsCallable(one.functions, "addAdmin");
      const email = address("ben");
      const { uid } = await one.server.auth.createUser({ email });
      assert.deepEqual((await addAdmin({ email })).data, { error: "Request not authorized. User must be a moderator to fulfill request." });
      await one.server.auth.setCustomUserClaims(user.uid, { moderator: true });
      await user.getIdToken(true);
      assert.deepEqual((await addAdmin({ email })).data, { result: `Request fulfilled! ${email} is now a moderator.` });
      assert.deepEqual((await one.server.auth.getUser(uid)).customClaims, { moderator: true });
      await assert.rejects(addAdmin({ email: address("nobody") }), (error) => error.code === "functions/internal");
    });

    await t.test(`a missing token is the code's own error, a bad one is refused before it`, async () => {
      const ask = async (authorization) => {
        const headers = { "content-type": "application/json", ...(authorization && { authorization }) };
        const answer = await fetch(one.url("addAdmin"), { method: "POST", headers, body: '{"data":{"email":"x@y.z"}}' });
        return [answer.status, (await answer.json()).error?.status];
      };
      assert.deepEqual(await ask(), [500, "INTERNAL"]);
      for (const authorization of ["Bearer forged", "Basic abc", "Bearer a.b.c"]) {
        assert.deepEqual(await ask(authorization), [401, "UNAUTHENTICATED"]);
      }
    });
  });
}

hearthTest("the seed's text on today's packages: start and answer name the line and the import that mends it", async () => {
  const path = folder({ "firebase.json": { functions: { source: "functions" } }, ".firebaserc": { projects: { default: "demo-seeds" } } });
  const source = join(path, "functions");
  mkdirSync(source);
  writeFileSync(join(source, "package.json"), JSON.stringify({ main: "index.js" }));
  writeFileSync(join(source, "index.js"), `const functions = require('firebase-functions');\nconst admin = require('firebase-admin');\nadmin.initializeApp();\n${ADD_ADMIN}`);
  symlinkSync(join(repository, "suites/node/node_modules"), join(source, "node_modules"));
  const hearth = await dev({ path });
  try {
    const url = `http://127.0.0.1:${hearth.ready.ports.functions}/demo-seeds/us-central1/addAdmin`;
    const headers = { "content-type": "application/json", authorization: `Bearer ${unsigned({ sub: "maria", moderator: true })}` };
    const answer = await fetch(url, { method: "POST", headers, body: '{"data":{"email":"x@y.z"}}' });
    assert.equal(answer.status, 500);
    assert.match((await answer.json()).error.message, /require\('firebase-functions\/v1'\)/);
    await eventually(() => /index\.js:\d+: firebase-functions 7/.test(hearth.said()), "the line is in the log");
  } finally {
    await hearth.stop();
  }
});
