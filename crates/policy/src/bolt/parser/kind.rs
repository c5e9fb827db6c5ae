//! Types as they are written: names, unions, lists, and types of types.

use std::rc::Rc;

use super::super::ast::{Type, TypeKind, TypeNode};
use super::Parser;

impl Parser<'_> {
    pub(super) fn type_expression(&mut self) -> Option<Type> {
        let start = self.at;
        let mut types = vec![self.single_type()?];
        loop {
            let before = self.at;
            if self.blank_then("|") {
                self.blank();
                if let Some(next) = self.single_type() {
                    types.push(next);
                    continue;
                }
            }
            self.at = before;
            break;
        }
        self.blank();
        if types.len() == 1 {
            return types.pop();
        }
        Some(Rc::new(TypeNode { kind: TypeKind::Union(types), span: self.span(start) }))
    }

    fn single_type(&mut self) -> Option<Type> {
        if !self.step() {
            return None;
        }
        let start = self.at;
        let name = self.identifier()?;
        let plain = TypeNode::name(name, self.span(start));
        let found = if self.eat("[]") {
            let key = TypeNode::name("String", self.span(start));
            let kind = TypeKind::Generic("Map".into(), vec![key, plain]);
            Rc::new(TypeNode { kind, span: self.span(start) })
        } else {
            let before = self.at;
            match self.nested(Self::type_arguments) {
                Some(types) => {
                    Rc::new(TypeNode { kind: TypeKind::Generic(name.into(), types), span: self.span(start) })
                }
                None => {
                    self.at = before;
                    plain
                }
            }
        };
        self.blank();
        self.upper_first(start, name, "Type names");
        Some(found)
    }

    fn type_arguments(&mut self) -> Option<Vec<Type>> {
        if !self.eat("<") {
            return None;
        }
        self.blank();
        let mut types = vec![self.type_expression()?];
        loop {
            let before = self.at;
            if self.blank_then(",") {
                self.blank();
                if let Some(next) = self.type_expression() {
                    types.push(next);
                    continue;
                }
            }
            self.at = before;
            break;
        }
        self.blank();
        self.eat(">").then_some(types)
    }
}
