//! What administrators can ask of a data folder, whether a server runs on it or not.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Span;
use crate::admin::Folder;

#[derive(Debug, Subcommand)]
pub enum ServiceAccount {
    /// Create an account, or a further key for one, and print its key file (JSON) for the Admin SDKs
    Create(CreateServiceAccount),
    /// List the accounts and their keys
    List(ListServiceAccounts),
    /// Create a new key for an account and print its key file; its other keys expire after `--keep-old`
    Rotate(RotateServiceAccount),
    /// Revoke an account, or one of its keys, at once, with every token made with it
    Revoke(RevokeServiceAccount),
}

#[derive(Debug, Args)]
pub struct CreateServiceAccount {
    #[command(flatten)]
    pub key_file: KeyFile,
    #[command(flatten)]
    pub folder: Folder,
}

#[derive(Debug, Args)]
pub struct ListServiceAccounts {
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RotateServiceAccount {
    #[command(flatten)]
    pub key_file: KeyFile,
    /// How long its other keys stay valid; `0s` ends them at once
    #[arg(long, default_value = "24h", value_name = "DURATION")]
    pub keep_old: Span,
    #[command(flatten)]
    pub folder: Folder,
}

#[derive(Debug, Args)]
pub struct RevokeServiceAccount {
    /// The account: its address, or the part before the @
    pub name: String,
    /// Only the key with this id
    #[arg(long, value_name = "ID")]
    pub key: Option<String>,
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// List the keys: the one that signs, the next one, those that still verify
    List(KeysOutput),
    /// Publish a new key; it signs after two hours, and what the old key signed stays valid
    Rotate(RotateKeys),
    /// Revoke a key and every token that it signed, at once; users' SDKs get new tokens by themselves
    Revoke(RevokeKeys),
    /// Encrypt the signing keys in the data folder with a new key
    Seal(SealKeys),
}

#[derive(Debug, Args)]
pub struct SealKeys {
    /// The file with the new key, as `openssl rand -base64 32` makes it
    #[arg(value_name = "NEW_KEY_FILE")]
    pub new_key_file: PathBuf,
    #[command(flatten)]
    pub output: KeysOutput,
}

#[derive(Debug, Subcommand)]
pub enum Indexes {
    /// List the indexes
    List(IndexesOutput),
    /// Build the indexes of firestore.indexes.json, or one index, and wait until they answer queries
    Build(BuildIndexes),
    /// Drop an index
    Drop(DropIndex),
    /// List the missing indexes for which queries were rejected since the server started
    Suggest(IndexesOutput),
    /// Add an index to the project's firestore.indexes.json
    Add(AddIndex),
}

#[derive(Debug, Args)]
pub struct IndexesOutput {
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct BuildIndexes {
    /// The collection of one index (default: all of the project's file)
    #[arg(requires = "fields")]
    pub collection: Option<String>,
    /// Its fields, outermost first: `state`, `population:desc`, `tags:contains`, `embedding:vector=768`
    pub fields: Vec<String>,
    /// For every collection with this id, at any depth
    #[arg(long, requires = "collection")]
    pub group: bool,
    /// The folder with `firebase.json`
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub project_dir: PathBuf,
    /// The index file (default: that of the project)
    #[arg(long, conflicts_with = "collection")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub output: IndexesOutput,
}

#[derive(Debug, Args)]
pub struct DropIndex {
    /// The index's number, as `indexes list` shows it
    pub id: u32,
    #[command(flatten)]
    pub output: IndexesOutput,
}

#[derive(Debug, Args)]
pub struct AddIndex {
    #[command(flatten)]
    pub index: NewIndex,
    /// The folder with `firebase.json`
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub project_dir: PathBuf,
    /// The index file (default: that of the project)
    #[arg(long)]
    pub file: Option<PathBuf>,
}

/// An index that the command line names.
#[derive(Debug, Args)]
pub struct NewIndex {
    /// The id of its collection
    pub collection: String,
    /// Its fields, outermost first: `state`, `population:desc`, `tags:contains`, `embedding:vector=768`
    #[arg(required = true)]
    pub fields: Vec<String>,
    /// For every collection with this id, at any depth
    #[arg(long)]
    pub group: bool,
}

#[derive(Debug, Args)]
pub struct KeysOutput {
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RotateKeys {
    /// Sign with the new key at once: clients that cache the published keys must fetch them again first
    #[arg(long)]
    pub now: bool,
    #[command(flatten)]
    pub output: KeysOutput,
}

#[derive(Debug, Args)]
pub struct RevokeKeys {
    /// The key's id, as `keys list` shows it
    #[arg(value_name = "KEY")]
    pub id: String,
    #[command(flatten)]
    pub output: KeysOutput,
}

/// What a key file is about.
#[derive(Clone, Debug, Args)]
pub struct KeyFile {
    /// The account's name: the part before the @
    #[arg(default_value = "admin")]
    pub name: String,
    /// Where the account gets access tokens: this server's address
    #[arg(long, default_value = identity::GOOGLE_TOKEN_URI)]
    pub token_uri: String,
}
