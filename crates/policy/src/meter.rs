//! What an evaluation may use and what it has used.

use serde::Serialize;

use crate::value::FaultKind;

/// Limits of one decision. The defaults are the real services'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Expressions evaluated in one decision.
    pub expressions_max: u32,
    /// Calls of the policy's functions within each other.
    pub call_depth_max: u32,
    /// Distinct documents that one Firestore operation may read.
    pub document_reads_max: u32,
    /// Distinct documents that all Firestore operations of one request may read together. Those of earlier operations
    /// are [`crate::Documents::earlier`].
    pub request_document_reads_max: u32,
    /// Distinct Firestore documents that one Storage operation may read.
    pub storage_document_reads_max: u32,
    /// Bytes and list items that expressions may make or compare in one decision.
    pub work_units_max: u64,
    /// Expressions evaluated within each other, over all calls.
    pub nesting_max: u32,
    /// Alternatives that the `or`, `in` and `array-contains-any` of a query may expand to.
    pub query_alternatives_max: usize,
    /// Whether a list query may prove `!('x' in resource.data)` from the absence of a constraint on `x`, as the
    /// real service is known to do. It is a leak: the documents may have the field.
    pub absent_keys_in_list: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            expressions_max: 1000,
            call_depth_max: 21,
            document_reads_max: 10,
            request_document_reads_max: 20,
            storage_document_reads_max: 2,
            work_units_max: 16 << 20,
            nesting_max: 300,
            query_alternatives_max: 100,
            absent_keys_in_list: false,
        }
    }
}

/// What a decision used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Expressions evaluated.
    pub expressions: u32,
    /// Distinct documents read.
    pub reads: u32,
}

/// Counts against [`Limits`].
#[derive(Debug)]
pub struct Meter<'l> {
    /// The limits.
    pub limits: &'l Limits,
    /// Expressions so far.
    pub expressions: u32,
    work_units: u64,
}

impl<'l> Meter<'l> {
    /// Nothing used yet.
    pub fn new(limits: &'l Limits) -> Self {
        Self { limits, expressions: 0, work_units: 0 }
    }

    /// Counts one expression.
    pub fn expression<'v>(&mut self) -> Result<(), FaultKind<'v>> {
        if self.take_expression() { Ok(()) } else { Err(FaultKind::Expressions(self.limits.expressions_max)) }
    }

    /// Counts one expression; whether it is within the limit.
    #[inline]
    pub fn take_expression(&mut self) -> bool {
        self.take_expressions(1)
    }

    /// Counts some expressions; whether all are within the limit.
    #[inline]
    pub fn take_expressions(&mut self, count: u32) -> bool {
        let total = self.expressions.saturating_add(count);
        let within = total <= self.limits.expressions_max;
        if within {
            self.expressions = total;
        }
        within
    }

    /// Counts bytes made or items compared; whether they are within the limit.
    #[inline]
    pub fn take_work(&mut self, units: usize) -> bool {
        self.work_units = self.work_units.saturating_add(units as u64);
        self.work_units <= self.limits.work_units_max
    }

    /// Counts bytes made or items compared.
    pub fn work<'v>(&mut self, units: usize) -> Result<(), FaultKind<'v>> {
        if self.take_work(units) { Ok(()) } else { Err(FaultKind::Memory) }
    }
}
