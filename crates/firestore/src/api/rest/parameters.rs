//! What follows the question mark: the fields of requests that have no body, and the standard parameters.

use base::{Status, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use percent_encoding::percent_decode;
use wire::json::JsonOptions;
use wire::{prost_types, v1};

use crate::status;

/// Parameters any method takes.
const STANDARD_NAMES: [&str; 11] = [
    "$alt",
    "alt",
    "key",
    "prettyPrint",
    "$prettyPrint",
    "quotaUser",
    "access_token",
    "oauth_token",
    "uploadType",
    "upload_protocol",
    "$.xgafv",
];

/// Parameters in one request.
const PARAMETERS_MAX: usize = 2_000;

/// Names and values, decoded, in order.
#[derive(Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

fn bad(name: &str) -> Status {
    status::bad_payload(&format!("The parameter `{name}` is not valid."))
}

impl Parameters {
    /// Reads a URL's query. Names may be written in camelCase or in snake_case.
    pub fn read(query: &str) -> Result<Self, Status> {
        let mut parameters = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            if parameters.len() == PARAMETERS_MAX {
                return Err(status::bad_payload("It has too many parameters."));
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name)?;
            let name = if STANDARD_NAMES.contains(&name.as_str()) { name } else { camel_case(&name) };
            parameters.push((name, decode(value)?));
        }
        Ok(Self(parameters))
    }

    /// How the response is to be written.
    pub fn options(&self) -> JsonOptions {
        let enum_numbers = self.0.iter().any(|(name, value)| {
            matches!(name.as_str(), "$alt" | "alt")
                && value.split(';').any(|part| part == "enum-encoding=int")
        });
        JsonOptions { enum_numbers, ..JsonOptions::default() }
    }

    /// Refuses parameters that only methods without a body take.
    pub fn only_standard(&self) -> Result<(), Status> {
        self.only(&[])
    }

    fn only(&self, names: &[&str]) -> Result<(), Status> {
        let known = |name: &str| names.contains(&name) || STANDARD_NAMES.contains(&name);
        match self.0.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(status::bad_payload(&format!("Unknown parameter `{name}`."))),
            None => Ok(()),
        }
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn mask(&self, name: &str) -> Option<v1::DocumentMask> {
        let field_paths: Vec<_> = self.all(name).map(str::to_owned).collect();
        (!field_paths.is_empty()).then_some(v1::DocumentMask { field_paths })
    }

    fn time(&self, name: &str) -> Result<Option<prost_types::Timestamp>, Status> {
        let Some(text) = self.one(name) else { return Ok(None) };
        let at = Timestamp::parse(text).map_err(|_| bad(name))?;
        Ok(Some(wire::time::to_wire(at)))
    }

    fn truth(&self, name: &str) -> Result<Option<bool>, Status> {
        match self.one(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(bad(name)),
        }
    }

    fn transaction(&self) -> Result<Option<Bytes>, Status> {
        let Some(text) = self.one("transaction") else { return Ok(None) };
        let decoded =
            STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).map_err(|_| bad("transaction"))?;
        Ok(Some(decoded.into()))
    }

    /// A read is of a transaction or of a time, not of both.
    fn selector(&self) -> Result<(Option<Bytes>, Option<prost_types::Timestamp>), Status> {
        match (self.transaction()?, self.time("readTime")?) {
            (Some(_), Some(_)) => Err(bad("readTime")),
            selector => Ok(selector),
        }
    }

    fn precondition(&self) -> Result<Option<v1::Precondition>, Status> {
        use v1::precondition::ConditionType;
        let exists = self.truth("currentDocument.exists")?;
        let condition_type = match (exists, self.time("currentDocument.updateTime")?) {
            (None, None) => return Ok(None),
            (Some(exists), None) => ConditionType::Exists(exists),
            (None, Some(at)) => ConditionType::UpdateTime(at),
            (Some(_), Some(_)) => return Err(bad("currentDocument")),
        };
        Ok(Some(v1::Precondition { condition_type: Some(condition_type) }))
    }

    /// `GetDocument`.
    pub fn get_document(&self, name: String) -> Result<v1::GetDocumentRequest, Status> {
        use v1::get_document_request::ConsistencySelector;
        self.only(&["mask.fieldPaths", "transaction", "readTime"])?;
        let consistency_selector = match self.selector()? {
            (Some(id), _) => Some(ConsistencySelector::Transaction(id)),
            (_, at) => at.map(ConsistencySelector::ReadTime),
        };
        let mask = self.mask("mask.fieldPaths");
        Ok(v1::GetDocumentRequest { name, mask, consistency_selector, ..Default::default() })
    }

    /// `ListDocuments`.
    pub fn list_documents(
        &self,
        parent: String,
        collection_id: String,
    ) -> Result<v1::ListDocumentsRequest, Status> {
        use v1::list_documents_request::ConsistencySelector;
        self.only(&[
            "mask.fieldPaths",
            "transaction",
            "readTime",
            "pageSize",
            "pageToken",
            "orderBy",
            "showMissing",
        ])?;
        let page_size = match self.one("pageSize") {
            Some(text) => text.parse().map_err(|_| bad("pageSize"))?,
            None => 0,
        };
        let consistency_selector = match self.selector()? {
            (Some(id), _) => Some(ConsistencySelector::Transaction(id)),
            (_, at) => at.map(ConsistencySelector::ReadTime),
        };
        Ok(v1::ListDocumentsRequest {
            parent,
            collection_id,
            page_size,
            page_token: self.one("pageToken").unwrap_or_default().to_owned(),
            order_by: self.one("orderBy").unwrap_or_default().to_owned(),
            mask: self.mask("mask.fieldPaths"),
            show_missing: self.truth("showMissing")?.unwrap_or_default(),
            consistency_selector,
            ..Default::default()
        })
    }

    /// `CreateDocument`, but for the document.
    pub fn create_document(
        &self,
        parent: String,
        collection_id: String,
    ) -> Result<v1::CreateDocumentRequest, Status> {
        self.only(&["documentId", "mask.fieldPaths"])?;
        let document_id = self.one("documentId").unwrap_or_default().to_owned();
        let mask = self.mask("mask.fieldPaths");
        Ok(v1::CreateDocumentRequest { parent, collection_id, document_id, mask, ..Default::default() })
    }

    /// `UpdateDocument`, but for the document.
    pub fn update_document(&self) -> Result<v1::UpdateDocumentRequest, Status> {
        self.only(&[
            "updateMask.fieldPaths",
            "mask.fieldPaths",
            "currentDocument.exists",
            "currentDocument.updateTime",
        ])?;
        Ok(v1::UpdateDocumentRequest {
            update_mask: self.mask("updateMask.fieldPaths"),
            mask: self.mask("mask.fieldPaths"),
            current_document: self.precondition()?,
            ..Default::default()
        })
    }

    /// `DeleteDocument`.
    pub fn delete_document(&self, name: String) -> Result<v1::DeleteDocumentRequest, Status> {
        self.only(&["currentDocument.exists", "currentDocument.updateTime"])?;
        Ok(v1::DeleteDocumentRequest { name, current_document: self.precondition()?, ..Default::default() })
    }
}

fn decode(text: &str) -> Result<String, Status> {
    let plain: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    let decoded = percent_decode(&plain).decode_utf8();
    Ok(decoded.map_err(|_| status::bad_payload("A parameter is not UTF-8."))?.into_owned())
}

fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for character in name.chars() {
        if character == '_' {
            raise = true;
        } else if std::mem::take(&mut raise) {
            camel.extend(character.to_uppercase());
        } else {
            camel.push(character);
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use base::Code;

    use super::*;

    #[test]
    fn parameters_become_requests() {
        let read = |query: &str| Parameters::read(query).unwrap();
        let list =
            read("mask.field_paths=_none_&pageSize=300&showMissing=true&orderBy=a+desc%2C__name__&key=k")
                .list_documents("parent".into(), "c".into())
                .unwrap();
        assert_eq!(
            (list.page_size, list.show_missing, list.order_by.as_str()),
            (300, true, "a desc,__name__")
        );
        assert_eq!(list.mask.unwrap().field_paths, ["_none_"]);
        let update =
            read("updateMask.fieldPaths=a&updateMask.fieldPaths=%60b.c%60&currentDocument.exists=true")
                .update_document()
                .unwrap();
        assert_eq!(update.update_mask.unwrap().field_paths, ["a", "`b.c`"]);
        assert!(update.mask.is_none() && update.current_document.is_some());
        assert!(read("$alt=json;enum-encoding=int").options().enum_numbers);
        assert!(read("%24alt=json%3Benum-encoding%3Dint").options().enum_numbers);
        assert!(!read("alt=json").options().enum_numbers);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for query in [
            "pageSize=many",
            "showMissing=1",
            "readTime=yesterday",
            "transaction=%",
            "transaction=AA==&readTime=2020-01-01T00:00:00Z",
            "pagesize=1",
            "orderBy=%FF",
        ] {
            let refused =
                Parameters::read(query).and_then(|read| read.list_documents(String::new(), String::new()));
            assert_eq!(refused.unwrap_err().code, Code::InvalidArgument, "{query}");
        }
    }
}
