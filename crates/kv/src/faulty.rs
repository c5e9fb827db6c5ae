//! An engine around another that fails or delays batches and reads on request. For tests.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::engine::{Batch, Engine, Slice, View};
use crate::error::StoreError;
use crate::key::{Key, KeyRange};
use crate::scan::Scan;
use crate::version::Version;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails and nothing happens.
    Fail,
    /// It fails, yet was carried out: a lost answer. For a read the same as [`Fault::Fail`].
    FailAfterwards,
    /// It takes this much longer.
    Delay(Duration),
}

/// Faults to come, shared by an engine and its test.
///
/// They are numbered per kind from the next call on: 0 is the next batch or read.
#[derive(Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    batches: Kind,
    reads: Kind,
}

#[derive(Default)]
struct Kind {
    done: u64,
    faults: Vec<(u64, Fault)>,
}

impl Kind {
    fn next(&mut self) -> Option<Fault> {
        let number = self.done;
        self.done += 1;
        let at = self.faults.iter().position(|(planned, _)| *planned == number)?;
        Some(self.faults.swap_remove(at).1)
    }
}

impl Faults {
    /// The n-th batch from now on goes wrong.
    pub fn on_batch(&self, n: u64, fault: Fault) {
        let batches = &mut self.plan.lock().batches;
        batches.faults.push((batches.done + n, fault));
    }

    /// The n-th read from now on goes wrong: a get, a scan, or the opening of a view.
    pub fn on_read(&self, n: u64, fault: Fault) {
        let reads = &mut self.plan.lock().reads;
        reads.faults.push((reads.done + n, fault));
    }

    /// How many batches were applied or tried so far.
    pub fn batches(&self) -> u64 {
        self.plan.lock().batches.done
    }

    async fn read(&self) -> Result<(), StoreError> {
        let fault = self.plan.lock().reads.next();
        match fault {
            None => Ok(()),
            Some(Fault::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Some(Fault::Fail | Fault::FailAfterwards) => Err(injected()),
        }
    }
}

fn injected() -> StoreError {
    StoreError::engine("a fault was injected")
}

/// The engine that goes wrong on request.
pub struct Faulty<E> {
    inner: E,
    faults: Faults,
}

impl<E: Engine> Faulty<E> {
    /// Wraps an engine. The test keeps a clone of the faults.
    pub fn new(inner: E, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl<E: Engine> Engine for Faulty<E> {
    async fn view(&self) -> Result<Arc<dyn View>, StoreError> {
        self.faults.read().await?;
        Ok(Arc::new(FaultyView { inner: self.inner.view().await?, faults: self.faults.clone() }))
    }

    async fn newest(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.faults.read().await?;
        self.inner.newest(keys).await
    }

    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let fault = self.faults.plan.lock().batches.next();
        match fault {
            None => self.inner.apply(batch).await,
            Some(Fault::Fail) => Err(injected()),
            Some(Fault::FailAfterwards) => {
                self.inner.apply(batch).await?;
                Err(injected())
            }
            Some(Fault::Delay(time)) => {
                tokio::time::sleep(time).await;
                self.inner.apply(batch).await
            }
        }
    }

    async fn backup(&self, to: &Path, replace: &[(Key, Bytes)]) -> Result<Version, StoreError> {
        self.inner.backup(to, replace).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

struct FaultyView {
    inner: Arc<dyn View>,
    faults: Faults,
}

#[async_trait]
impl View for FaultyView {
    fn version(&self) -> Version {
        self.inner.version()
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.faults.read().await?;
        self.inner.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.faults.read().await?;
        self.inner.get_many(keys).await
    }

    async fn scan(&self, range: &KeyRange, scan: Scan) -> Result<Slice, StoreError> {
        self.faults.read().await?;
        self.inner.scan(range, scan).await
    }

    async fn keys(&self, range: &KeyRange, max: usize) -> Result<Vec<Key>, StoreError> {
        self.faults.read().await?;
        self.inner.keys(range, max).await
    }
}
