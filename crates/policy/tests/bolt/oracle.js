// Asks firebase-bolt about Bolt files: `node oracle.js a.bolt b.bolt` prints one JSON object,
// {"a.bolt": {"json": text or null, "messages": [lines]}, ...}. NODE_PATH says where the package is.
// With `--write` it also stores the answers beside the files, as `.json` and `.messages`.
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

const answers = {};
const write = process.argv[2] === '--write';
for (const file of process.argv.slice(write ? 3 : 2)) {
  const answer = ask(fs.readFileSync(file, 'utf8'));
  answers[file] = answer;
  if (write) {
    const stem = file.replace(/\.bolt$/, '');
    for (const [extension, text] of [['.json', answer.json], ['.messages', answer.messages.map(m => m + '\n').join('')]]) {
      if (text) {
        fs.writeFileSync(stem + extension, text);
      } else {
        fs.rmSync(stem + extension, { force: true });
      }
    }
  }
}
console.log(JSON.stringify(answers));
