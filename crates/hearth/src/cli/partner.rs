//! What administrators can ask about partners.

use clap::{Args, Subcommand};

use super::Span;
use crate::admin::Folder;

#[derive(Debug, Subcommand)]
pub enum Partner {
    /// Add a partner: an account with a claim, a key, and what it is for; prints the guard, the rule and a test call
    Add(AddPartner),
    /// List the partners and what they are for
    List(ListPartners),
    /// Suspend a partner at once, its account and keys included
    Suspend(SuspendPartner),
    /// Create a new key for a partner; its other keys expire after `--keep-old`
    Rotate(RotatePartner),
    /// Report what a partner read and wrote, what it was denied, and what it could do and never did
    Report(ReportPartner),
}

#[derive(Debug, Args)]
pub struct AddPartner {
    /// Its name: lower-case letters, digits and `-`
    pub name: String,
    /// The address of its account; one that exists already becomes the partner's
    #[arg(long)]
    pub email: String,
    /// The functions that it may call
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub function: Vec<String>,
    /// The collections that it is for
    #[arg(long, value_delimiter = ',', value_name = "PATH")]
    pub collection: Vec<String>,
    /// The claim `role` of its account
    #[arg(long, default_value = "partner")]
    pub role: String,
    /// When its access ends: a day or a time (default: never)
    #[arg(long, value_name = "DAY")]
    pub expires: Option<String>,
    /// Where its functions are, for the test call
    #[arg(long, default_value = "https://HOST/fn", value_name = "URL")]
    pub url: String,
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ListPartners {
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SuspendPartner {
    /// The partner
    pub name: String,
    /// Undo it
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RotatePartner {
    /// The partner
    pub name: String,
    /// How long its other keys stay valid; `0s` ends them at once
    #[arg(long, default_value = "24h", value_name = "DURATION")]
    pub keep_old: Span,
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReportPartner {
    /// The partner
    pub name: String,
    /// Since then: a duration such as 7d, or a time
    #[arg(long, default_value = "7d", value_name = "TIME")]
    pub since: String,
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
