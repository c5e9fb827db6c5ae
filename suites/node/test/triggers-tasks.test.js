// What functions are told that no service writes, with the real packages: messages, custom events, tasks and times; and functions that
// have a say before somebody signs in.

import assert from "node:assert/strict";
import { after, test as nodeTest } from "node:test";

import { createUserWithEmailAndPassword, getIdTokenResult, signInWithEmailAndPassword } from "firebase/auth";
import { initializeApp } from "firebase-admin/app";
import { getAuth } from "firebase-admin/auth";
import { getEventarc } from "firebase-admin/eventarc";
import { getFunctions } from "firebase-admin/functions";
import http2 from "node:http2";

import { address, client } from "../clients.js";
import { againstPeer, eventually, hearthTest, sleep } from "../hearth.js";
import { codebase, heard, told, triggered } from "../triggers.js";

const CODE = `
const functions = require("firebase-functions/v1");
const { onMessagePublished } = require("firebase-functions/v2/pubsub");
const { onCustomEventPublished } = require("firebase-functions/v2/eventarc");
const { onTaskDispatched } = require("firebase-functions/v2/tasks");
const { onSchedule } = require("firebase-functions/v2/scheduler");
const { beforeUserCreated, beforeUserSignedIn, HttpsError } = require("firebase-functions/v2/identity");

exports.message = onMessagePublished("topic", (event) => tell("message", { data: event.data.message.json ?? event.data.message.data, attributes: event.data.message.attributes, id: event.data.message.messageId, source: event.source, type: event.type, at: event.data.message.publishTime }));
exports.firstMessage = functions.pubsub.topic("topic").onPublish((message, context) => tell("firstMessage", { data: message.json, attributes: message.attributes, context }));
exports.ordered = onMessagePublished("ordered", async (event) => {
  const { n } = event.data.message.json;
  await new Promise((resolve) => setTimeout(resolve, n % 2 ? 15 : 1));
  tell("ordered", { n });
});
exports.custom = onCustomEventPublished("com.example.done", (event) => tell("custom", { ...event }));
exports.filtered = onCustomEventPublished({ eventType: "com.example.done", filters: { kind: "a" } }, (event) => tell("filtered", { kind: event.kind }));
exports.otherChannel = onCustomEventPublished({ eventType: "com.example.done", channel: "locations/us-central1/channels/other" }, () => tell("otherChannel", {}));
exports.work = onTaskDispatched({ retryConfig: { maxAttempts: 3, minBackoffSeconds: 0 }, rateLimits: { maxConcurrentDispatches: 2 } }, (request) => {
  tell("work", { data: request.data, id: request.id, queueName: request.queueName, retryCount: request.retryCount, scheduledTime: request.scheduledTime });
  if (request.data.fails > request.retryCount) throw new Error("not yet");
});
exports.slowly = onTaskDispatched({ rateLimits: { maxDispatchesPerSecond: 10 } }, (request) => tell("slowly", { n: request.data.n }));
exports.firstWork = functions.tasks.taskQueue().onDispatch((data, context) => tell("firstWork", { data, id: context.id }));
exports.tick = onSchedule("* * * * *", (event) => tell("tick", { scheduleTime: event.scheduleTime, jobName: event.jobName }));
exports.rare = onSchedule({ schedule: "every 24 hours", timeZone: "Europe/Berlin" }, () => tell("rare", {}));
exports.firstTick = functions.pubsub.schedule("1 of month 09:00").onRun((context) => tell("firstTick", { context }));
exports.beforeCreated = beforeUserCreated((event) => {
  tell("beforeCreated", { email: event.data.email, uid: event.data.uid, type: event.eventType, providers: event.data.providerData.map((one) => one.providerId) });
  if (event.data.email.startsWith("forbidden")) throw new HttpsError("permission-denied", "not you");
  if (event.data.email.startsWith("disabled")) return { disabled: true };
  return { displayName: "Given", customClaims: { role: "new" } };
});
exports.beforeSignedIn = beforeUserSignedIn((event) => {
  tell("beforeSignedIn", { uid: event.data.uid, claims: event.data.customClaims, type: event.eventType });
  return { sessionClaims: { session: 1, role: "of-session" } };
});
`;

const project = codebase(CODE);
const hearth = await triggered(project);
after(() => hearth.stop());
const host = `127.0.0.1:${hearth.ready.ports.functions}`;
process.env.CLOUD_TASKS_EMULATOR_HOST = host;
process.env.CLOUD_EVENTARC_EMULATOR_HOST = `http://${host}`;
// Eventarc's client asks for a credential whatever host it has.
const credential = { getAccessToken: async () => ({ access_token: "owner", expires_in: 3600 }) };
const app = initializeApp({ projectId: hearth.project, credential }, "triggers-tasks");
const publish = async (topic, messages) => {
  const answer = await fetch(`http://${host}/v1/projects/${hearth.project}/topics/${topic}:publish`, { method: "POST", body: JSON.stringify({ messages }) });
  return { status: answer.status, ...(await answer.json()) };
};
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64");

hearthTest("messages of a topic are told to both generations", async () => {
  const { messageIds } = await publish("topic", [{ data: encoded({ a: 1 }), attributes: { x: "y" } }]);
  const [message] = await heard(project, "message");
  assert.deepEqual([message.data, message.attributes, message.id], [{ a: 1 }, { x: "y" }, messageIds[0]]);
  assert.deepEqual([message.source, message.type], [`//pubsub.googleapis.com/projects/${hearth.project}/topics/topic`, "google.cloud.pubsub.topic.v1.messagePublished"]);
  const [first] = await heard(project, "firstMessage");
  assert.deepEqual([first.data, first.attributes, first.context.eventType, first.context.resource], [{ a: 1 }, { x: "y" }, "google.pubsub.topic.publish", `projects/${hearth.project}/topics/topic`]);
  assert.equal((await publish("topic", [])).status, 400);
});

hearthTest("messages with an ordering key are told in order", async () => {
  for (let n = 0; n < 20; n += 5) {
    await publish("ordered", [0, 1, 2, 3, 4].map((at) => ({ data: encoded({ n: n + at }), orderingKey: "k" })));
  }
  const all = await heard(project, "ordered", 20);
  assert.deepEqual(all.map(({ n }) => n), [...Array(20).keys()]);
});

hearthTest("the publisher's gRPC service takes messages", async () => {
  // PublishRequest { topic = 1, messages = 2 { data = 1 } }, as @google-cloud/pubsub sends it.
  const field = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  const request = Buffer.concat([field(1, Buffer.from(`projects/${hearth.project}/topics/topic`)), field(2, field(1, Buffer.from('{"grpc":1}')))]);
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]);
  const session = http2.connect(`http://${host}`);
  const before = told(project, "message").length;
  const status = await new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": "/google.pubsub.v1.Publisher/Publish", "content-type": "application/grpc", te: "trailers" });
    stream.on("trailers", (trailers) => resolve(trailers["grpc-status"])).on("error", reject).on("end", () => {}).resume();
    stream.end(frame);
  });
  session.close();
  assert.equal(status, "0");
  const all = await heard(project, "message", before + 1);
  assert.deepEqual(all.at(-1).data, { grpc: 1 });
});

hearthTest("custom events are told to who listens to their type, channel and attributes", async () => {
  const channel = getEventarc(app).channel("locations/us-central1/channels/firebase");
  await channel.publish({ type: "com.example.done", source: "suite", subject: "it", data: { n: 1 }, kind: "b", id: "one" });
  const [event] = await heard(project, "custom");
  assert.deepEqual([event.type, event.source, event.subject, event.data, event.kind, event.id], ["com.example.done", "suite", "it", { n: 1 }, "b", "one"]);
  await channel.publish({ type: "com.example.done", source: "suite", data: { n: 2 }, kind: "a" });
  assert.deepEqual((await heard(project, "filtered")).map(({ kind }) => kind), ["a"]);
  await channel.publish({ type: "com.example.else", source: "suite", data: {} });
  await getEventarc(app).channel("locations/us-central1/channels/other").publish({ type: "com.example.done", source: "suite", data: {} });
  await heard(project, "otherChannel");
  await sleep(200);
  assert.equal(told(project, "custom").length, 2);
});

hearthTest("tasks are dispatched, retried, delayed, named and taken away", async () => {
  const queue = getFunctions(app).taskQueue("work");
  await queue.enqueue({ n: 1 });
  const [first] = await heard(project, "work");
  assert.deepEqual([first.data, first.queueName, first.retryCount], [{ n: 1 }, "work", 0]);
  await queue.enqueue({ n: 2, fails: 2 }, { id: "named" });
  await assert.rejects(queue.enqueue({ n: 2 }, { id: "named" }), (error) => (assert.equal(error.code, "functions/task-already-exists"), true));
  const named = () => told(project, "work").filter(({ id }) => id === "named");
  await eventually(() => named().length === 3, "the task is tried three times", 15_000);
  assert.deepEqual(named().map(({ retryCount }) => retryCount), [0, 1, 2]);
  const began = Date.now();
  await queue.enqueue({ n: 3 }, { id: "later", scheduleTime: new Date(began + 1500) });
  await queue.enqueue({ n: 4 }, { id: "never", scheduleTime: new Date(began + 1500) });
  await queue.delete("never");
  await eventually(() => told(project, "work").some(({ id }) => id === "later"), "the delayed task is dispatched", 10_000);
  assert.ok(told(project, "work").find(({ id }) => id === "later").at >= began + 1400);
  await sleep(300);
  assert.ok(!told(project, "work").some(({ id }) => id === "never"));
  await assert.rejects(getFunctions(app).taskQueue("nowhere").enqueue({}));
  await getFunctions(app).taskQueue("firstWork").enqueue({ n: 5 });
  assert.deepEqual((await heard(project, "firstWork")).map(({ data }) => data), [{ n: 5 }]);
});

hearthTest("a queue dispatches no faster than it allows", async () => {
  const queue = getFunctions(app).taskQueue("slowly");
  await Promise.all(Array.from({ length: 8 }, (_, n) => queue.enqueue({ n })));
  const all = await heard(project, "slowly", 8);
  const times = all.map(({ at }) => at).sort((one, other) => one - other);
  assert.ok(times.at(-1) - times[0] >= 600, `8 tasks at 10 a second took ${times.at(-1) - times[0]} ms`);
});

hearthTest("a schedule is run at once by a message of its topic", async () => {
  await publish("firebase-schedule-firstTick", [{ data: "" }]);
  const [{ context }] = await heard(project, "firstTick");
  assert.deepEqual([context.eventType, context.resource], ["google.pubsub.topic.publish", `projects/${hearth.project}/topics/firebase-schedule-firstTick-us-central1`]);
  await publish("firebase-schedule-rare", [{ data: "" }]);
  await heard(project, "rare");
});

nodeTest("a schedule fires when it is due", { timeout: 120_000, skip: againstPeer }, async () => {
  const [tick] = await heard(project, "tick", 1, 70_000);
  const due = new Date(tick.scheduleTime);
  assert.deepEqual([due.getUTCSeconds(), due.getUTCMilliseconds()], [0, 0]);
  assert.ok(tick.at - due.getTime() >= 0 && tick.at - due.getTime() < 3_000, `due ${tick.scheduleTime}, run at ${new Date(tick.at).toISOString()}`);
  assert.equal(tick.jobName, "firebase-schedule-tick-us-central1");
});

hearthTest("functions have a say before somebody signs up and signs in", async () => {
  const { auth } = client(hearth);
  const email = address("wanted");
  const { user } = await createUserWithEmailAndPassword(auth, email, "secret words");
  const [created] = await heard(project, "beforeCreated");
  assert.deepEqual([created.email, created.uid, created.type, created.providers], [email, user.uid, "providers/cloud.auth/eventTypes/user.beforeCreate:password", ["password"]]);
  const [signedIn] = await heard(project, "beforeSignedIn");
  assert.deepEqual([signedIn.uid, signedIn.claims], [user.uid, { role: "new" }]);
  const { claims } = await getIdTokenResult(user);
  assert.deepEqual([claims.session, claims.role], [1, "of-session"]);
  const record = await getAuth(app).getUser(user.uid);
  assert.deepEqual([record.displayName, record.customClaims], ["Given", { role: "new" }]);
  await signInWithEmailAndPassword(auth, email, "secret words");
  await heard(project, "beforeSignedIn", 2);
  assert.equal(told(project, "beforeCreated").length, 1);
});

hearthTest("whom a function refuses or disables does not sign in, and administrators are not asked about", async () => {
  const { auth } = client(hearth);
  const said = (run) => run.then(() => assert.fail("it was let pass"), (error) => error);
  const refused = await said(createUserWithEmailAndPassword(auth, address("forbidden"), "secret words"));
  assert.equal(refused.code, "auth/internal-error");
  assert.match(refused.message, /\(\(HTTP request to .* returned HTTP error 403: .*not you/);
  const email = address("disabled");
  assert.equal((await said(createUserWithEmailAndPassword(auth, email, "secret words"))).code, "auth/user-disabled");
  assert.equal((await getAuth(app).getUserByEmail(email)).disabled, true);
  const count = told(project, "beforeCreated").length;
  await getAuth(app).createUser({ email: address("forbidden-by-nobody") });
  assert.equal(told(project, "beforeCreated").length, count);
});
