//! Cloud Functions: the project's own code, run by Node.js with the real `firebase-functions` packages, behind the gate.
