//! Code of the project that has a say before somebody becomes a user or signs in.

use async_trait::async_trait;
use base::Status;

/// What the code has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingAnswer {
    /// The HTTP status.
    pub http: u16,
    /// The body.
    pub body: String,
}

/// Asks the code. Implemented by the service that runs it, asked by the identity service.
#[async_trait]
pub trait Blocking: Send + Sync {
    /// The URL of the function that has a say in an event (`beforeCreate`, `beforeSignIn`, `beforeSendEmail`), if there is one.
    fn function(&self, event: &str) -> Option<String>;

    /// What it answers to a signed question.
    ///
    /// Errors: `UNAVAILABLE` when it cannot be asked, `DEADLINE_EXCEEDED` when it does not answer: nobody passes then.
    async fn ask(&self, event: &str, question: &str) -> Result<BlockingAnswer, Status>;
}
