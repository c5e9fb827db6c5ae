// Answers `case rounds` lines with `nanoseconds allowed`: targaryen's side of ./x bench policy. Its data, its rules and
// its user are made once; a batch only asks.
'use strict';

const readline = require('readline');
const targaryen = require('targaryen');
const { rules, data, auth } = require('./case.json');

const signedOut = targaryen.database(rules, data, 1);
const database = signedOut.as(auth);
const post = { owner: 'alice', title: 'a title' };
const part = () => ({
  $thing: {
    '.read': "auth != null && root.child('users').child(auth.uid).child('role').val() === 'moderator'",
    '.write': "auth != null && (!data.exists() || data.child('owner').val() === auth.uid)",
    '.validate': "newData.hasChildren(['owner', 'title']) && newData.child('title').isString()",
  },
});
const large = { rules: {} };
for (let n = 0; JSON.stringify(large, null, 2).length < 64 * 1024 - 400; n++) large.rules[`things${n}`] = part();
const cases = {
  compile: () => Boolean(targaryen.ruleset(large)),
  claim: () => database.read('/claims/x', { now: 1 }).allowed,
  own: () => database.read('/own/alice', { now: 1 }).allowed,
  deep: () => database.read('/flamelink/environments/production/content/posts/en-US', { now: 1 }).allowed,
  'deep-denied': () => signedOut.read('/flamelink/environments/production/content/posts/en-US', { now: 1 }).allowed,
  write: () => database.write('/posts/p', post, undefined, 1).allowed,
};

const version = require('targaryen/package.json').version;
process.stdout.write(`targaryen ${version}, Node.js ${process.versions.node}\n`);

readline.createInterface({ input: process.stdin }).on('line', line => {
  const [name, rounds] = line.split(' ');
  const decide = cases[name];
  let allowed = 0;
  const cpu = process.cpuUsage();
  const begun = process.hrtime.bigint();
  for (let round = Number(rounds); round > 0; round--) {
    if (decide()) allowed++;
  }
  const wall = Number(process.hrtime.bigint() - begun);
  const used = process.cpuUsage(cpu);
  // The CPU time has the garbage collector's and the compiler's threads in it, the other one other processes: the
  // smaller is the fairer.
  const taken = Math.min(wall, (used.user + used.system) * 1000 || wall);
  process.stdout.write(`${Math.round(taken)} ${allowed}\n`);
});
