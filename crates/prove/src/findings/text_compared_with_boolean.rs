//! Text is compared with a boolean, which is never equal: the same value is a name elsewhere, or `.validate` wants text
//! there, or it is called a role. Bolt's compiler reports the same of its files (`bolt-text-as-boolean`).
//!
//! ```text
//! ".write": "auth.token.role == true"
//! ```
//!
//! Compare it with the name that is meant: `auth.token.role == 'admin'`.

use base::Value;
use policy::Diagnostic;
use policy::ir::{Binary, Kind};
use policy::rtdb::lowered::{Condition, Method};

use super::{DATABASE, Finding};
use crate::readers::realtime::Place;
use crate::readers::realtime::syntax::{demands_text, of_auth, place as place_of, same};

/// The finding.
pub const FINDING: Finding = Finding::warning("text-compared-with-boolean", DATABASE);

/// One expression of a rule.
pub fn of_expression(place: &Place<'_>, expr: &Condition) -> Option<Diagnostic> {
    let Kind::Binary(Binary::Equal | Binary::NotEqual, left, right) = &expr.kind else { return None };
    let is_boolean = |side: &Condition| matches!(side.kind, Kind::Constant(Value::Bool(_)));
    let value = match (is_boolean(left), is_boolean(right)) {
        (false, true) => left,
        (true, false) => right,
        _ => return None,
    };
    let reason = is_text(place, value)?;
    let value = place.reading.text(value);
    let message = format!("this compares text with a boolean, which is never equal: {reason}");
    let help = format!("compare it with the text that is meant: `{value} == 'admin'`");
    Some(FINDING.at(expr.span, message).help(help))
}

/// Why a value is text, as far as the rules tell.
fn is_text(place: &Place<'_>, value: &Condition) -> Option<String> {
    let reading = place.reading;
    let is_role = |name: &str| name.eq_ignore_ascii_case("role");
    let role = || Some("a role is usually a name".to_owned());
    let snapshot = match &value.kind {
        Kind::Member(_, name) if is_role(name) && of_auth(value) => return role(),
        Kind::Method(snapshot, Method::Val, ..) => snapshot,
        _ => return None,
    };
    if let Some((_, text)) = reading.texts.iter().find(|(known, _)| same(reading.source, known, value, true))
    {
        let (line, _) = reading.source.line_column(text.span.start);
        return Some(format!("on line {line} the same value is compared with {}", reading.text(text)));
    }
    let node = place_of(reading.nodes, snapshot, place.node);
    if let Some(validate) = node.and_then(|node| node.validate.as_ref())
        && demands_text(&validate.condition)
    {
        return Some(format!("`.validate` on line {} wants text there", validate.position.line));
    }
    let Kind::Method(_, Method::Child, arguments, _) = &snapshot.kind else { return None };
    match arguments.first().map(|key| &key.kind) {
        Some(Kind::Constant(Value::String(key))) if is_role(key.rsplit('/').next().unwrap_or(key)) => role(),
        _ => None,
    }
}
