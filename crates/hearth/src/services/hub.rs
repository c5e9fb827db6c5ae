//! The hub of the suite: where tools ask what runs where.

use axum::Router;

use super::{Addresses, Callers, Part, Row, Service, Socket, Variable};

pub static ROW: Row = Row {
    name: "hub",
    part: Part::Suite,
    socket: Socket::Own(4400),
    callers: Callers::Own,
    variables: &[Variable { name: "FIREBASE_EMULATOR_HUB", before: "" }],
    rules: None,
    open: |ground| Box::new(Hub { project: ground.project.clone() }),
};

struct Hub {
    project: String,
}

impl Service for Hub {
    fn routes(&self, addresses: &Addresses) -> Router {
        server::hub::routes(&self.project, addresses.clone())
    }
}
