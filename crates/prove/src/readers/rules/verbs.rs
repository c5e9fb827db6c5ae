//! The words of an `allow`, and what its methods have to do with documents.

use policy::rules::lowered::{Rule, method_bit};
use policy::{Method, Service};

use super::{Grant, Reading};

impl Reading<'_> {
    /// The words before the colon: `read, create`.
    pub fn verbs(&self, rule: &Rule) -> String {
        let text = self.ruleset.source().slice(rule.span);
        let verbs = text.strip_prefix("allow").unwrap_or("").split([':', ';']).next().unwrap_or("");
        verbs.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The words of an `allow` that it can never grant, each with its methods as bits.
    pub fn dead_words(&self, grant: &Grant<'_>) -> Vec<(String, u8)> {
        let bit = method_bit;
        let verbs = self.verbs(grant.rule);
        let methods = |word: &str| match word {
            "read" => bit(Method::Get) | bit(Method::List),
            "write" => bit(Method::Create) | bit(Method::Update) | bit(Method::Delete),
            other => Method::ALL.into_iter().find(|verb| verb.name() == other).map_or(0, bit),
        };
        let words = verbs.split(',').map(|name| (name.trim().to_owned(), methods(name.trim())));
        words.filter(|(_, methods)| *methods != 0 && methods & !grant.dead == 0).collect()
    }

    /// Why a condition cannot be true for some methods although it can be for others.
    pub fn absent(&self, methods: u8) -> &'static str {
        let only = |verbs: &[Method]| {
            let bits = verbs.iter().map(|verb| method_bit(*verb)).fold(0, |all, bit| all | bit);
            methods & !bits == 0
        };
        if only(&[Method::Get, Method::List]) {
            "`request.resource` is the document to be written, and nothing is written"
        } else if only(&[Method::Delete]) {
            "after a delete there is no `request.resource`"
        } else if only(&[Method::Create]) && self.ruleset.service() == Service::Firestore {
            "before a create there is no `resource`"
        } else {
            "it asks for another method, or for a document that is not there then"
        }
    }

    /// Which document there is for these methods.
    pub fn other_resource(&self, methods: u8) -> Option<&'static str> {
        let bit = method_bit;
        if methods == bit(Method::Create) && self.ruleset.service() == Service::Firestore {
            Some("the new document is `request.resource`")
        } else if methods & (bit(Method::Create) | bit(Method::Update)) == 0 {
            Some("the document that is there is `resource`")
        } else {
            None
        }
    }
}
