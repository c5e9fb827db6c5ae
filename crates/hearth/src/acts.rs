//! The table of what a running server does for the command line.

use crate::admin::Entry;
use crate::explain::ExplainRequest;
use crate::{backup, indexes, keys, partner, service_account};

/// Every act that a running server does for the command line.
pub static ACTS: &[Entry] = &[
    Entry::of::<backup::Backup>(),
    Entry::of::<ExplainRequest>(),
    Entry::of::<keys::ListKeys>(),
    Entry::of::<keys::RotateKey>(),
    Entry::of::<keys::RevokeKey>(),
    Entry::of::<keys::SealKeys>(),
    Entry::of::<indexes::ListIndexes>(),
    Entry::of::<indexes::BuildIndexes>(),
    Entry::of::<indexes::DropIndex>(),
    Entry::of::<indexes::SuggestIndexes>(),
    Entry::of::<partner::Add>(),
    Entry::of::<partner::List>(),
    Entry::of::<partner::Suspend>(),
    Entry::of::<partner::Rotate>(),
    Entry::of::<service_account::CreateAccount>(),
    Entry::of::<service_account::ListAccounts>(),
    Entry::of::<service_account::RotateAccount>(),
    Entry::of::<service_account::RevokeAccount>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_has_a_name_of_its_own() {
        for (index, entry) in ACTS.iter().enumerate() {
            assert_eq!(ACTS.iter().position(|other| other.name == entry.name), Some(index), "{}", entry.name);
        }
    }
}
