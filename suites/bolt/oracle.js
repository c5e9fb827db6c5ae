// Asks firebase-bolt about Bolt files.
//
//   node oracle.js a.bolt b.bolt          prints {"a.bolt": {"json": text or null, "messages": [lines]}, ...}
//   node oracle.js --write a.bolt b.bolt  the same, and stores the answers beside the files, as `.json` and `.messages`
//   node oracle.js --stdin                reads [text, ...] and prints [{"json": ..., "messages": ...}, ...]
//
// NODE_PATH says where the package is, if it is not beside this file.
'use strict';

const fs = require('fs');
const bolt = require('firebase-bolt');
const logger = require(require.resolve('firebase-bolt').replace(/bolt\.js$/, 'logger.js'));

function ask(text) {
  const messages = [];
  const hear = line => messages.push(String(line));
  const { error, warn } = console;
  console.error = hear;
  console.warn = hear;
  logger.reset();
  let json = null;
  try {
    const symbols = bolt.parse(text);
    json = JSON.stringify(new bolt.Generator(symbols).generateRules(), null, 2) + '\n';
  } catch (e) {
    // The summaries repeat what was said before.
    const repeated = e.message === logger.errorSummary() || e.message.startsWith('Could not generate JSON');
    if (!repeated) {
      messages.push('bolt:' + (e.line ? e.line + ':' + e.column + ':' : '') + ' ' + e.message);
    }
  }
  console.error = error;
  console.warn = warn;
  return { json, messages };
}

function store(file, { json, messages }) {
  const stem = file.replace(/\.bolt$/, '');
  for (const [extension, text] of [['.json', json], ['.messages', messages.map(m => m + '\n').join('')]]) {
    if (text) {
      fs.writeFileSync(stem + extension, text);
    } else {
      fs.rmSync(stem + extension, { force: true });
    }
  }
}

const [verb, ...rest] = process.argv.slice(2);
if (verb === '--stdin') {
  console.log(JSON.stringify(JSON.parse(fs.readFileSync(0, 'utf8')).map(ask)));
} else {
  const answers = {};
  for (const file of verb === '--write' ? rest : [verb, ...rest]) {
    answers[file] = ask(fs.readFileSync(file, 'utf8'));
    if (verb === '--write') {
      store(file, answers[file]);
    }
  }
  console.log(JSON.stringify(answers));
}
