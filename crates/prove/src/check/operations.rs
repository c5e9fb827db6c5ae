//! Which findings are looked for in operations of Data Connect.

use policy::Diagnostic;

use crate::findings::{
    check_never_passes, every_caller_alike, filter_may_vanish, open_mutation, unused_redact,
    user_id_from_caller,
};
use crate::operations::Operation;

/// All that is found in an operation, in the order of its file.
pub fn findings(operation: &Operation) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = every_caller_alike::of_operation(operation).into_iter().collect();
    found.extend(open_mutation::of_operation(operation));
    found.extend(user_id_from_caller::of_operation(operation));
    found.extend(filter_may_vanish::of_operation(operation));
    found.extend(unused_redact::of_operation(operation));
    found.extend(check_never_passes::of_operation(operation));
    found.sort_by_key(|found| (found.span.start, found.span.end, found.code));
    found
}
