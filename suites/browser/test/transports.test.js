// Every way in which the web SDK carries its streams.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { dev } from "../../node/hearth.js";
import { isPolling, tab } from "../browser.js";

const OPEN = `service cloud.firestore {
  match /databases/{database}/documents {
    match /{document=**} { allow read, write; }
  }
}`;

let hearth;
before(async () => (hearth = await dev({ project: "demo-browser", rules: OPEN })));
after(async () => hearth?.stop());

/** How the SDK is set up, and whether it polls then. */
const WAYS = {
  "as it comes": [{}, undefined],
  "streaming": [{ experimentalAutoDetectLongPolling: false }, false],
  "streaming without fetch": [{ experimentalAutoDetectLongPolling: false, useFetchStreams: false }, false],
  "long polling": [{ experimentalForceLongPolling: true }, true],
  "long polling without fetch": [{ experimentalForceLongPolling: true, useFetchStreams: false }, true],
  "long polling of five seconds": [{ experimentalForceLongPolling: true, experimentalLongPollingOptions: { timeoutSeconds: 5 } }, true],
};

for (const [name, [settings, polls]] of Object.entries(WAYS)) {
  test(`${name}: listens, writes, counts, runs transactions`, { timeout: 60_000 }, async () => {
    const page = await tab();
    const place = `ways/${name}/notes`;
    const found = await page.evaluate(
      async ({ options, place }) => {
        const { db } = sdk.open(options);
        const notes = sdk.collection(db, place);
        const follower = sdk.follow(sdk.query(notes, sdk.orderBy("n")), (snapshot) => ({
          docs: snapshot.docs.map((doc) => doc.data()),
          pending: snapshot.metadata.hasPendingWrites,
          cached: snapshot.metadata.fromCache,
        }));
        const arrived = (count) => (of) => of.seen.at(-1)?.docs.length === count && !of.seen.at(-1).pending;
        await follower.until(({ seen }) => seen.at(-1)?.cached === false, "the first snapshot");
        await sdk.setDoc(sdk.doc(notes, "a"), { n: 1, text: "grüße 😀 \u2028 \\ \"" });
        await follower.until(arrived(1), "one document");
        await sdk.addDoc(notes, { n: 2, at: sdk.serverTimestamp() });
        await follower.until(arrived(2), "two documents");
        const counted = (await sdk.getCountFromServer(notes)).data().count;
        const sum = await sdk.runTransaction(db, async (transaction) => {
          const seen = await transaction.get(sdk.doc(notes, "a"));
          transaction.update(seen.ref, { n: seen.get("n") + 10 });
          return seen.get("n") + 10;
        });
        await follower.until(({ seen }) => seen.at(-1).docs.at(-1)?.n === 11, "the transaction's write");
        await sdk.deleteDoc(sdk.doc(notes, "a"));
        await follower.until(arrived(1), "the deletion");
        const [text] = follower.seen.filter(({ docs }) => docs.length > 0).map(({ docs }) => docs[0].text);
        await sdk.terminate(db);
        return { counted, sum, text, cached: follower.seen.at(-1).cached };
      },
      { options: { project: hearth.project, emulator: hearth.firestore, settings }, place },
    );
    assert.deepEqual(found, { counted: 2, sum: 11, text: "grüße 😀 \u2028 \\ \"", cached: false });
    if (polls !== undefined) {
      assert.equal(isPolling(page), polls);
    }
    assert.deepEqual(page.failures, []);
    await page.context().close();
  });
}

test("large documents and many listeners", { timeout: 60_000 }, async () => {
  const page = await tab();
  const found = await page.evaluate(
    async (options) => {
      const { db } = sdk.open(options);
      const { db: writer } = sdk.open({ ...options, name: "writer" });
      // As large as a document may be, in letters that take three bytes each.
      const large = "漢".repeat(349_000);
      const read = (snapshot) => snapshot.docs.map((doc) => doc.get("text")?.length);
      const big = sdk.follow(sdk.collection(db, "large"), read);
      const rooms = Array.from({ length: 100 }, (_, room) =>
        sdk.follow(sdk.query(sdk.collection(db, "messages"), sdk.where("room", "==", room)), (snapshot) => snapshot.size),
      );
      await sdk.setDoc(sdk.doc(writer, "large/a"), { text: large });
      await sdk.setDoc(sdk.doc(writer, "large/b"), { text: "x".repeat(1_000_000) });
      await big.until(({ seen }) => seen.at(-1)?.length === 2, "both large documents", 20_000);
      await Promise.all(rooms.map((_, room) => sdk.addDoc(sdk.collection(writer, "messages"), { room })));
      await Promise.all(rooms.map((room) => room.until(({ seen }) => seen.at(-1) === 1, "each room's message", 20_000)));
      await sdk.terminate(db);
      await sdk.terminate(writer);
      return big.seen.at(-1);
    },
    { project: hearth.project, emulator: hearth.firestore },
  );
  assert.deepEqual(found, [349_000, 1_000_000]);
  assert.deepEqual(page.failures, []);
  await page.context().close();
});

test("two tabs with one cache, and a third on another device", { timeout: 60_000 }, async () => {
  const options = { project: hearth.project, emulator: hearth.firestore, persistent: true };
  const first = await tab();
  const second = await tab(first.context());
  const elsewhere = await tab();
  const follow = (page, options) =>
    page.evaluate((options) => {
      const { db } = sdk.open(options);
      globalThis.db = db;
      globalThis.follower = sdk.follow(sdk.collection(db, "shared"), (snapshot) => snapshot.docs.map((doc) => doc.id).sort());
    }, options);
  await follow(first, options);
  await follow(second, options);
  await follow(elsewhere, { ...options, persistent: false });
  const pages = [first, second, elsewhere];
  for (const [at, page] of pages.entries()) {
    await page.evaluate((id) => sdk.setDoc(sdk.doc(db, "shared", id), {}), `d${at}`);
  }
  const all = (page) => page.evaluate(() => follower.until(({ seen }) => seen.at(-1)?.length === 3, "all three"));
  await Promise.all(pages.map(all));
  // The tab that held the streams goes; the other one takes over.
  await first.close();
  await elsewhere.evaluate(() => sdk.setDoc(sdk.doc(db, "shared", "late"), {}));
  await second.evaluate(() => follower.until(({ seen }) => seen.at(-1)?.length === 4, "what came after", 30_000));
  assert.deepEqual([second.failures, elsewhere.failures], [[], []]);
  await second.context().close();
  await elsewhere.context().close();
});
