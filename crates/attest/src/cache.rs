//! Tokens whose signature was checked, in two generations of bounded size. What can change (the time, the app's row, the key) is
//! asked every time.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::token::Token;

/// Tokens of one generation.
const TOKENS_MAX: usize = 4096;

/// Only genuine tokens get in, so nobody can choose keys that collide.
type Generation = HashMap<String, Arc<Token>, foldhash::fast::RandomState>;

/// When the young generation is full it becomes the old one, and the old one is forgotten.
#[derive(Default)]
pub struct Cache(Mutex<[Generation; 2]>);

impl Cache {
    /// A token that is known.
    pub fn get(&self, text: &str) -> Option<Arc<Token>> {
        let [young, old] = &mut *self.0.lock();
        if let Some(token) = young.get(text) {
            return Some(Arc::clone(token));
        }
        let (text, token) = old.remove_entry(text)?;
        young.insert(text, Arc::clone(&token));
        Some(token)
    }

    /// Remembers a token.
    pub fn put(&self, text: &str, token: Arc<Token>) {
        let [young, old] = &mut *self.0.lock();
        if young.len() >= TOKENS_MAX {
            *old = std::mem::take(young);
        }
        young.insert(text.to_owned(), token);
    }
}
