// Moderators make moderators. `grantModeratorRole` and `addAdmin` are the article's, as printed, but for its comments and the line
// break in a text. The root of firebase-functions is its second generation since version 6; the article's code is of the first.
const functions = require("firebase-functions/v1");
const admin = require("firebase-admin");

admin.initializeApp();

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
      result: `Request fulfilled! ${email} is now a moderator.`
    };
  }); // 4
});
