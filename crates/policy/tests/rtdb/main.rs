//! Realtime Database rules: recorded verdicts of the live service, cases, and any text at all.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests stop at the first surprise")]

mod data;
mod explain;
mod oracle;
mod robust;
