//! Statements run by a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

mod harness;
mod injection;
mod migration;
mod native;
mod operations;
mod random;
mod server;
mod transactions;

use harness::House;

/// One server for all: a start costs more than all the tests.
#[test]
fn statements_do_what_operations_say() {
    let Some(server) = server::Server::start() else {
        eprintln!("skipped: PostgreSQL's initdb, postgres and psql are not installed (Debian: `postgresql`)");
        return;
    };
    operations::run(&House::new(&server, "movies", operations::MOVIES, operations::OPERATIONS));
    operations::run_blog(&House::new(&server, "blog", operations::BLOG, operations::BLOG_OPERATIONS));
    injection::run(&House::new(&server, "injection", operations::MOVIES, operations::OPERATIONS));
    transactions::run(&House::new(&server, "transactions", transactions::SCHEMA, transactions::OPERATIONS));
    migration::run(&server);
    native::run(&House::new(&server, "native", native::SCHEMA, native::OPERATIONS));
    random::run(&server);
}
