//! How policies read data: through the session that is being decided, from its snapshot, into its read set.

use async_trait::async_trait;
use base::Status;
use policy::Policy;

use crate::reads::Reads;

/// Finds the facts that a policy asks for. A service implements it over its own data.
#[async_trait]
pub trait Facts<P: Policy>: Send + Sync {
    /// The facts for these needs, in their order. All that they depend on is read through `reads`.
    ///
    /// Errors: a fault, never a fact; `DATA_LOSS` for an unreadable row.
    async fn facts(&self, reads: &mut Reads, needs: &[P::Need]) -> Result<Vec<P::Fact>, Status>;
}
