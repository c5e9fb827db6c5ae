//! What rules read of a database: places, through the session that is being decided.

use std::sync::Arc;

use access::{Facts, Reads};
use async_trait::async_trait;
use base::{Code, Status};
use policy::rtdb::{Depth, Found, Glance, Place, Ruleset, Tree};

use super::rows::{Layer, Layout, Rows, RowsError};
use crate::model::{Key, Path};

/// Rows of a place that rules look at as a whole.
const WHOLE_ROWS_MAX: usize = 20_000;

/// A database as rules read it.
pub struct Places<'a> {
    /// Where it lies.
    pub layout: &'a Layout,
    /// What is not durable yet and counts.
    pub pending: &'a Layer,
}

#[async_trait]
impl Facts<Ruleset> for Places<'_> {
    async fn facts(&self, reads: &mut Reads, needs: &[Place]) -> Result<Vec<Found>, Status> {
        let mut found = Vec::with_capacity(needs.len());
        for need in needs {
            found.push(self.fact(reads, need).await?);
        }
        Ok(found)
    }
}

impl Places<'_> {
    async fn fact(&self, reads: &mut Reads, need: &Place) -> Result<Found, Status> {
        let keys: Option<Vec<Key>> = need.path.iter().map(|key| Key::new(key).ok()).collect();
        let Some(path) = keys.map(Path::from) else {
            // No place has such a name.
            return Ok(match need.depth {
                Depth::Glance => Found::Glance(Glance::default()),
                Depth::Whole => Found::Whole(None),
            });
        };
        let layers = [self.pending];
        let mut rows = Rows { layout: self.layout, reads, layers: &layers };
        let fact = match need.depth {
            Depth::Glance => Found::Glance(rows.glance(&path).await?),
            Depth::Whole => {
                let node = rows.node(&path, WHOLE_ROWS_MAX).await.map_err(|error| match error {
                    RowsError::TooMany => too_much(&path),
                    RowsError::Fault(fault) => fault,
                })?;
                Found::Whole(node.map(|node| node as Arc<dyn Tree + Send + Sync>))
            }
        };
        reads.rely_on(self.layout.all(&path));
        Ok(fact)
    }
}

fn too_much(path: &Path) -> Status {
    let text = format!("The rules read all of {path}, which has more than {WHOLE_ROWS_MAX} values.");
    Status::new(Code::ResourceExhausted, text)
}
