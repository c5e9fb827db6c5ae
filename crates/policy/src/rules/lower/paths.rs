//! Written paths. One with variables is what `path()` makes of its text.

use base::Value;

use super::super::ast::{self, PathPart};
use super::super::names::{Function, Rules};
use super::Lowering;
use crate::ir::{Expr, Kind, Part};
use crate::value::path_text;

impl Lowering<'_> {
    pub(super) fn path(&mut self, expr: &ast::Expr, parts: &[PathPart]) -> Kind<Rules> {
        let template = |text: String| {
            let kind = Kind::Constant(Value::String(text));
            Kind::Function(Function::Path, vec![Expr { kind, span: expr.span, at: expr.at }])
        };
        let has = |wanted: fn(&PathPart) -> bool| parts.iter().any(wanted);
        if has(|part| matches!(part, PathPart::Variable { .. }))
            && !has(|part| matches!(part, PathPart::Value(_)))
        {
            return template(parts.iter().map(written).collect());
        }
        let part = |part: &PathPart| match part {
            PathPart::Text(text) => Part::Text(text.as_str().into()),
            PathPart::Value(value) => Part::Value(self.expr(value)),
            PathPart::Variable { .. } => {
                Part::Value(Expr { kind: template(written(part)), span: expr.span, at: expr.at })
            }
        };
        Kind::Path(parts.iter().map(part).collect())
    }
}

fn written(part: &PathPart) -> String {
    match part {
        PathPart::Text(text) => path_text(std::iter::once(text.as_str())),
        PathPart::Value(_) => String::new(),
        PathPart::Variable { name, glob: false } => format!("/{{{name}}}"),
        PathPart::Variable { name, .. } => format!("/{{{name}=**}}"),
    }
}
