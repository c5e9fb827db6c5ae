//! Coverage in the official emulator's JSON.

use serde_json::{Map, Value as Json, json};

use super::{Coverage, EvaluationResult, Seen, Site};

impl Coverage {
    /// `{rules: {files}, report: [{sourcePosition, values, children}]}`. An expression that was passed over while the one
    /// around it was evaluated has an empty value with a count; one that was never reached has no values.
    pub fn json(&self) -> Json {
        let mut out = Map::new();
        let file = json!({ "content": &*self.source().text, "name": &*self.source().name });
        out.insert("rules".to_owned(), json!({ "files": [file] }));
        let report: Vec<Json> = self.sites.roots.iter().map(|root| self.report(root, 0)).collect();
        if !report.is_empty() {
            out.insert("report".to_owned(), Json::Array(report));
        }
        Json::Object(out)
    }

    /// One expression, which could have been evaluated so many times.
    fn report(&self, site: &Site, occasions: u64) -> Json {
        let mut node = Map::new();
        node.insert("sourcePosition".to_owned(), json!(self.positions.of(site.span)));
        let Some(seen) = self.seen.get(&site.span) else { return Json::Object(node) };
        let passed_over = occasions.saturating_sub(seen.count);
        let values = self.values(seen, passed_over);
        if !values.is_empty() {
            node.insert("values".to_owned(), Json::Array(values));
        }
        let children = site.children.iter().map(|child| self.report(child, seen.count + passed_over));
        let children: Vec<Json> = children.collect();
        if !children.is_empty() {
            node.insert("children".to_owned(), Json::Array(children));
        }
        Json::Object(node)
    }

    fn values(&self, seen: &Seen, passed_over: u64) -> Vec<Json> {
        let mut values: Vec<Json> = Vec::with_capacity(seen.came.len());
        for (came, count) in &seen.came {
            let value = match came {
                EvaluationResult::Value(value) => value.clone(),
                EvaluationResult::Error { text, from } => json!({ "undefined": {
                    "sourcePosition": self.positions.of(*from),
                    "causeMessage": text,
                } }),
            };
            values.push(json!({ "value": value, "count": count }));
        }
        if seen.more > 0 {
            values.push(json!({ "value": { "stringValue": "… other values" }, "count": seen.more }));
        }
        if passed_over > 0 {
            values.push(json!({ "value": {}, "count": passed_over }));
        }
        values
    }
}
