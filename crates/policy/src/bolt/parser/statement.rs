//! Functions, paths, types, and their bodies.

use std::rc::Rc;

use super::Parser;
use crate::bolt::ast::{
    ByName, Exp, Function, Methods, PathStatement, Schema, Type, TypeNode, insert_ordered,
};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Span;

/// A path cannot be longer: Firebase keeps at most 32 levels.
pub(super) const PATH_PARTS_MAX: usize = 64;

/// Why a syntax error is one, in Bolt's words: always the same, since all that may begin here is a statement.
const EXPECTED: &str =
    "Expected comment, end of input, function definition, path statement, type statement or whitespace but";

/// What a body is made of.
enum Item<'s> {
    Property(Rc<str>, Type),
    Method(Rc<str>, Function),
    Path,
    Rubbish(&'s str),
}

impl<'s> Parser<'s> {
    /// The whole file. That the rest is not readable is told only when nothing was wrong before: it often follows.
    pub(super) fn file(&mut self) {
        self.blank();
        while self.statement() {
            self.blank();
        }
        let failed = self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        if !failed && self.at < self.text.len() {
            let found = self.peek().map(quoted).unwrap_or_default();
            let span = Span::new(self.at, self.at + self.peek().map_or(0, char::len_utf8));
            let mut error = Diagnostic::error("bolt-syntax", span, format!("{EXPECTED} \"{found}\" found."));
            if let Some(help) = super::super::comment::explain(self.text, self.at) {
                error = error.help(help);
            }
            self.diagnostics.push(error);
        }
    }

    fn statement(&mut self) -> bool {
        self.step() && (self.function() || self.path_statement() || self.schema())
    }

    fn function(&mut self) -> bool {
        let start = self.at;
        let (name, parameters, name_span) = match self.function_start_with_keyword() {
            Some(found) => found,
            None => {
                self.at = start;
                let Some(name) = self.identifier() else { return false };
                let name_span = self.span(start);
                self.blank();
                let Some(parameters) = self.parameters() else {
                    self.at = start;
                    return false;
                };
                self.blank();
                (Some(name), Some(parameters), name_span)
            }
        };
        let body = self.body();
        match (name, parameters, body) {
            (None, ..) => self.error(start, "Missing function name."),
            (Some(name), None, _) => self.error(start, format!("Function {name} missing parameters.")),
            (Some(name), _, None) => {
                self.error(start, format!("Function {name} missing or invalid function body."));
            }
            (Some(name), Some(parameters), Some(body)) => {
                self.lower_first(start, name, "Function names");
                if self.file.functions.contains_key(name) {
                    self.error(start, format!("Duplicated functions definition: {name}."));
                } else {
                    let whole = self.span_trimmed(start);
                    let function = Function { parameters, body, span: name_span, whole };
                    self.file.functions.insert(name.into(), function);
                }
            }
        }
        !self.stopped
    }

    #[expect(clippy::type_complexity, reason = "a name and parameters, either of which may be missing")]
    fn function_start_with_keyword(&mut self) -> Option<(Option<&'s str>, Option<Vec<Rc<str>>>, Span)> {
        if !self.eat("function") || !self.blank() {
            return None;
        }
        let start = self.at;
        let name = self.identifier();
        let span = self.span(start);
        self.blank();
        let parameters = self.parameters();
        self.blank();
        Some((name, parameters, span))
    }

    /// `{ return exp; }` or `= exp;`
    fn body(&mut self) -> Option<Exp> {
        let start = self.at;
        let found = self.braced_body();
        if found.is_some() {
            return found;
        }
        self.at = start;
        if !self.eat("=") {
            return None;
        }
        self.blank();
        let Some(exp) = self.expression() else {
            self.at = start;
            return None;
        };
        self.eat(";");
        self.blank();
        self.warn(start, "Use of fn(x) = exp; format is deprecated; use fn(x) { exp }, instead.");
        Some(exp)
    }

    fn braced_body(&mut self) -> Option<Exp> {
        if !self.eat("{") {
            return None;
        }
        self.blank();
        let before = self.at;
        if !(self.eat("return") && self.blank()) {
            self.at = before;
        }
        let exp = self.expression()?;
        self.blank_then(";");
        self.blank();
        if !self.eat("}") {
            return None;
        }
        self.blank();
        Some(exp)
    }

    fn parameters(&mut self) -> Option<Vec<Rc<str>>> {
        let start = self.at;
        if self.eat("(") {
            let list = self.identifiers();
            if self.eat(")") {
                self.blank();
                for name in &list {
                    self.lower_first(start, name, "Function arguments");
                }
                return Some(list);
            }
        }
        self.at = start;
        None
    }

    fn identifiers(&mut self) -> Vec<Rc<str>> {
        let head = self.identifier();
        let mut list: Vec<Rc<str>> = head.into_iter().map(Rc::from).collect();
        loop {
            let start = self.at;
            if self.blank_then(",") {
                self.blank();
                if let Some(name) = self.identifier() {
                    list.push(name.into());
                    continue;
                }
            }
            self.at = start;
            break;
        }
        self.blank();
        if head.is_none() { Vec::new() } else { list }
    }

    fn path_statement(&mut self) -> bool {
        let start = self.at;
        let keyword = self.eat("path") && self.blank();
        if !keyword {
            self.at = start;
        }
        let template = self.template();
        if !keyword && template.is_none() {
            return false;
        }
        let span = self.span(start);
        let length_before = self.path.len();
        match &template {
            Some(parts) => self.path.extend(parts.iter().cloned()),
            None => self.error(start, "Missing Path Template in path statement."),
        }
        if self.path.len() > PATH_PARTS_MAX {
            self.stop("bolt-limit", format!("a path has at most {PATH_PARTS_MAX} parts"));
        }
        let before_is = self.at;
        let is = self.is_type();
        if is.is_none() {
            self.at = before_is;
        }
        self.blank();
        let before_methods = self.at;
        let methods = self.nested(Self::path_body);
        if methods.is_none() {
            self.at = before_methods;
        }
        self.blank();
        if template.is_some() {
            match methods {
                Some(methods) => {
                    let is = is.unwrap_or_else(|| TypeNode::name("Any", Span::default()));
                    self.file.paths.push(PathStatement { parts: self.path.clone(), is, methods, span });
                }
                None => {
                    let mut error = Diagnostic::error("bolt-parse", span, "Missing body of path statement.");
                    if let Some(help) = super::super::comment::explain(self.text, start) {
                        error = error.help(help);
                    }
                    self.tell(error);
                }
            }
        }
        self.path.truncate(length_before);
        !self.stopped
    }

    fn is_type(&mut self) -> Option<Type> {
        if self.blank() && self.eat("is") && self.blank() { self.type_expression() } else { None }
    }

    fn path_body(&mut self) -> Option<Methods> {
        if self.eat(";") {
            return Some(Methods::default());
        }
        if !self.eat("{") {
            return None;
        }
        self.blank();
        let start = self.at;
        let items = self.items(|parser| {
            let path = parser.path_statement().then_some(Item::Path);
            path.or_else(|| parser.method())
        });
        self.blank();
        let mut methods = Methods::default();
        for item in items {
            match item {
                Item::Rubbish(text) => self.error(start, format!("Invalid path or method: '{text}'.")),
                Item::Method(name, method) => self.add_method(start, &mut methods, name, method),
                Item::Path | Item::Property(..) => {}
            }
        }
        self.eat("}").then_some(methods)
    }

    fn add_method(&mut self, start: usize, methods: &mut Methods, name: Rc<str>, method: Function) {
        if methods.contains_key(&name) {
            self.error(start, format!("Duplicate method name: {name}"));
        }
        methods.insert(name, method);
    }

    /// As many items as there are; what is none is skipped to the next separator.
    fn items(&mut self, one: impl Fn(&mut Self) -> Option<Item<'s>>) -> Vec<Item<'s>> {
        let mut items = Vec::new();
        while self.step() {
            match one(self).or_else(|| self.rubbish()) {
                Some(item) => items.push(item),
                None => break,
            }
        }
        items
    }

    fn rubbish(&mut self) -> Option<Item<'s>> {
        let start = self.at;
        let text = self.eat_while(|character| !matches!(character, ';' | ',' | '}'));
        if text.is_empty() || self.bump().is_none() {
            self.at = start;
            return None;
        }
        self.steps += text.len() / 64;
        self.blank();
        Some(Item::Rubbish(text))
    }

    fn schema(&mut self) -> bool {
        let start = self.at;
        if !(self.eat("type") && self.blank()) {
            self.at = start;
            return false;
        }
        let name = self.identifier();
        let span = self.span(start);
        let parameters = self.type_parameters();
        let before_extends = self.at;
        let extends = self.extends();
        if extends.is_none() {
            self.at = before_extends;
        }
        let before_body = self.at;
        let body = self.nested(Self::schema_body);
        if body.is_none() {
            self.at = before_body;
        }
        match (name, body) {
            (None, _) => self.error(start, "Missing type name."),
            (_, None) => self.error(start, "Missing or invalid type statement body."),
            (Some(name), Some((properties, methods))) => {
                self.upper_first(start, name, "Type names");
                if self.file.schemas.contains_key(name) {
                    self.error(start, format!("Duplicated schema definition: {name}."));
                } else {
                    let derived_from = extends.unwrap_or_else(|| {
                        TypeNode::name(if properties.is_empty() { "Any" } else { "Object" }, Span::default())
                    });
                    let schema = Schema { derived_from, properties, methods, parameters, span };
                    self.file.schemas.insert(name.into(), Rc::new(schema));
                }
            }
        }
        !self.stopped
    }

    fn type_parameters(&mut self) -> Vec<Rc<str>> {
        let start = self.at;
        if self.eat("<") {
            let list = self.identifiers();
            if self.eat(">") {
                for name in &list {
                    self.upper_first(start, name, "Type names");
                }
                return list;
            }
        }
        self.at = start;
        Vec::new()
    }

    fn extends(&mut self) -> Option<Type> {
        if self.blank() && self.eat("extends") && self.blank() { self.type_expression() } else { None }
    }

    fn schema_body(&mut self) -> Option<(ByName<Type>, Methods)> {
        self.blank();
        if self.eat(";") {
            return Some((ByName::default(), Methods::default()));
        }
        if !self.eat("{") {
            return None;
        }
        self.blank();
        let start = self.at;
        let items = self.items(|parser| parser.property().or_else(|| parser.method()));
        self.blank();
        let mut properties = ByName::default();
        let mut methods = Methods::default();
        for item in items {
            match item {
                Item::Rubbish(text) => {
                    self.error(start, format!("Invalid property or method: '{text}'."));
                }
                Item::Method(name, method) => self.add_method(start, &mut methods, name, method),
                Item::Property(name, kind) => {
                    if properties.contains_key(&name) {
                        self.error(start, format!("Duplicate property name: {name}"));
                    }
                    insert_ordered(&mut properties, name, kind);
                }
                Item::Path => {}
            }
        }
        self.eat("}").then_some((properties, methods))
    }

    fn property(&mut self) -> Option<Item<'s>> {
        let start = self.at;
        let name: Option<Rc<str>> = match self.identifier() {
            Some(name) => Some(name.into()),
            None => self.string(),
        };
        let property = name.and_then(|name| {
            self.blank();
            if !self.eat(":") {
                return None;
            }
            self.blank();
            let kind = self.type_expression()?;
            self.blank();
            self.separator();
            Some(Item::Property(name, kind))
        });
        if property.is_none() {
            self.at = start;
        }
        property
    }

    fn separator(&mut self) -> Option<char> {
        let found = self.peek().filter(|character| matches!(character, ',' | ';'));
        if found.is_some() {
            self.bump();
        }
        self.blank();
        found
    }

    fn method(&mut self) -> Option<Item<'s>> {
        let start = self.at;
        let found = self.identifier().and_then(|name| {
            let span = self.span(start);
            let parameters = self.parameters()?;
            self.blank();
            let body = self.body()?;
            Some((name, Function { parameters, body, span, whole: self.span_trimmed(start) }))
        });
        let Some((name, method)) = found else {
            self.at = start;
            return None;
        };
        if let Some(separator) = self.separator() {
            self.warn(start, format!("Extra separator ({separator}) not needed."));
        }
        self.lower_first(start, name, "Method names");
        Some(Item::Method(name.into(), method))
    }
}

/// A character as it stands in Bolt's syntax errors.
fn quoted(character: char) -> String {
    match character {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\0'..='\u{1f}' | '\u{80}'..='\u{ff}' => format!("\\x{:02X}", u32::from(character)),
        '\u{100}'.. => {
            let mut units = [0; 2];
            let first = character.encode_utf16(&mut units).first().copied().unwrap_or_default();
            format!("\\u{first:04X}")
        }
        _ => character.to_string(),
    }
}
