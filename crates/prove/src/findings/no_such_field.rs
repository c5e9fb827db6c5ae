//! A field that its holder does not have: the condition fails and denies.
//!
//! ```text
//! request.auth.email
//! resource.owner
//! get(/databases/$(d)/documents/users/$(u)).admin
//! ```
//!
//! Write `request.auth.token.email`, `resource.data.owner`, `get(…).data.admin`.

use policy::Diagnostic;

use super::claims::one_slip_apart;
use super::{Finding, SERVICES};
use crate::readers::rules::Reading;
use crate::readers::rules::oddity::{Odd, Oddity};
use crate::readers::rules::shapes::Shape;
use crate::wording::on_one_line;

/// The finding.
pub const FINDING: Finding = Finding::warning("no-such-field", SERVICES);

/// Fields that are listed in a message.
const NAMES_SHOWN_MAX: usize = 6;
/// Letters of an expression that is shown whole in a message.
const SHOWN_BYTES_MAX: usize = 50;

/// In Firestore and Storage rules.
pub fn of_expression(reading: &Reading<'_>, odd: &Odd) -> Option<Diagnostic> {
    let source = reading.ruleset.source();
    match &odd.oddity {
        Oddity::NoMembers { of, types } => {
            let text = on_one_line(source, *of);
            let message = format!("`{text}` is {}, which has no fields: this fails and denies", types.name());
            Some(FINDING.at(odd.span, message))
        }
        Oddity::NoMember { of, shape, name } => {
            let known = shape.names(reading.ruleset.service()).unwrap_or_default();
            Some(missing(odd, &shown(&on_one_line(source, *of)), *shape, name, known))
        }
        _ => None,
    }
}

fn shown(text: &str) -> String {
    if text.len() <= SHOWN_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…)", text.split('(').next().map_or("(".to_owned(), |name| format!("{name}(")))
}

fn missing(odd: &Odd, of: &str, shape: Shape, name: &str, names: &[&str]) -> Diagnostic {
    let message = if names.len() > NAMES_SHOWN_MAX {
        format!("`{of}` has no field `{name}`: this fails and denies")
    } else {
        let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        format!("`{of}` has no field `{name}`, only {known}: this fails and denies")
    };
    let diagnostic = FINDING.at(odd.span, message);
    let near = names.iter().find(|known| one_slip_apart(name, known));
    let help = match (shape, near) {
        (_, Some(near)) => format!("did you mean `{of}.{near}`?"),
        (Shape::Document, _) => {
            format!("the fields of the document are in its `data`: write `{of}.data.{name}`")
        }
        (Shape::Auth, _) => format!("claims are in the token: write `{of}.token.{name}`"),
        (Shape::Object, _) if name == "timeUpdated" => format!("it is `{of}.updated`"),
        (Shape::Object, _) => format!("what the app stores with a file is in `{of}.metadata`"),
        (Shape::Request, _) if name == "data" => {
            "the document to be written is `request.resource.data`".to_owned()
        }
        (Shape::Request, _) if ["user", "uid", "token"].contains(&name) => {
            "who asks is `request.auth`, with `uid` and `token`".to_owned()
        }
        _ => return diagnostic,
    };
    diagnostic.help(help)
}
