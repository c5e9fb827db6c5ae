//! Claims of the caller's token: where rules look at them, and whether they agree about what a claim is.

use std::collections::BTreeMap;

use base::Value;

use crate::Language;
use crate::check::Checked;
use policy::diagnostic::Diagnostic;
use policy::ir::{self, Binary, Expr, Kind, walk};
use policy::rules::lowered as rules;
use policy::rtdb::lowered as realtime;
use policy::syntax::nearest;
use policy::source::Span;

/// Uses of claims remembered of one text.
const USES_MAX: usize = 2_000;
/// Letters of the shortest claim that can be a misspelled other one.
const MISSPELLED_LETTERS_MIN: usize = 5;

/// Claims that every token may have. Their values are not the project's choice.
const STANDARD: [&str; 15] = [
    "email",
    "email_verified",
    "phone_number",
    "name",
    "picture",
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "firebase",
    "user_id",
    "nbf",
    "jti",
];

/// What a claim is compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compared {
    /// `true` or `false`, or it is a condition by itself.
    Boolean,
    /// Text.
    Text,
    /// A number.
    Number,
    /// Something of which nothing is known, or nothing.
    Unknown,
}

impl Compared {
    fn name(&self) -> &'static str {
        match self {
            Compared::Boolean => "a boolean",
            Compared::Text => "text",
            Compared::Number => "a number",
            Compared::Unknown => "something",
        }
    }
}

/// A place where a claim is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimUse {
    /// The claim.
    pub name: String,
    /// The expression that is the claim.
    pub span: Span,
    /// What it is compared with there.
    pub compared: Compared,
}

/// Finds claims in an expression. `is_token` knows the token itself.
pub fn collect<L: ir::Language>(
    expr: &Expr<L>,
    is_token: &dyn Fn(&Expr<L>) -> bool,
    found: &mut Vec<ClaimUse>,
) {
    find(expr, is_token, &Compared::Unknown, found);
}

fn find<L: ir::Language>(
    expr: &Expr<L>,
    is_token: &dyn Fn(&Expr<L>) -> bool,
    compared: &Compared,
    found: &mut Vec<ClaimUse>,
) {
    if found.len() >= USES_MAX {
        return;
    }
    let name = match &expr.kind {
        Kind::Member(object, name) if is_token(object) => Some(&**name),
        Kind::Index(object, key) if is_token(object) => match &key.kind {
            Kind::Constant(Value::String(key)) => Some(&**key),
            _ => None,
        },
        _ => None,
    };
    if let Some(name) = name {
        found.push(ClaimUse { name: name.to_owned(), span: expr.span, compared: compared.clone() });
        return;
    }
    match &expr.kind {
        Kind::Binary(
            Binary::Equal
            | Binary::NotEqual
            | Binary::Less
            | Binary::LessOrEqual
            | Binary::Greater
            | Binary::GreaterOrEqual,
            left,
            right,
        ) => {
            find(left, is_token, &of(right), found);
            find(right, is_token, &of(left), found);
        }
        Kind::Binary(Binary::In, left, right) => {
            find(left, is_token, &of_items(right), found);
            find(right, is_token, &Compared::Unknown, found);
        }
        Kind::Not(operand) => find(operand, is_token, &Compared::Boolean, found),
        Kind::And(operands) | Kind::Or(operands) => {
            operands.iter().for_each(|operand| find(operand, is_token, &Compared::Boolean, found));
        }
        Kind::Condition(test, yes, no) => {
            find(test, is_token, &Compared::Boolean, found);
            find(yes, is_token, compared, found);
            find(no, is_token, compared, found);
        }
        _ => walk::children(expr, &mut |child| find(child, is_token, &Compared::Unknown, found)),
    }
}

fn of<L: ir::Language>(expr: &Expr<L>) -> Compared {
    match &expr.kind {
        Kind::Constant(value) => of_value(value),
        _ => Compared::Unknown,
    }
}

fn of_value(value: &Value) -> Compared {
    match value {
        Value::Bool(_) => Compared::Boolean,
        Value::String(_) => Compared::Text,
        Value::Integer(_) | Value::Double(_) => Compared::Number,
        _ => Compared::Unknown,
    }
}

/// What all items of a list are.
fn of_items<L: ir::Language>(list: &Expr<L>) -> Compared {
    let kinds: Vec<Compared> = match &list.kind {
        Kind::Constant(Value::Array(items)) => items.iter().map(of_value).collect(),
        Kind::List(items) => items.iter().map(of).collect(),
        _ => return Compared::Unknown,
    };
    match kinds.split_first() {
        Some((first, rest)) if rest.iter().all(|kind| kind == first) => first.clone(),
        _ => Compared::Unknown,
    }
}

/// Where Firestore or Storage rules look at claims.
pub fn of_rules(ruleset: &policy::Ruleset) -> Vec<ClaimUse> {
    let is_token = |expr: &Expr<rules::Rules>| match &expr.kind {
        Kind::Member(auth, name) => {
            **name == *"token" && matches!(auth.kind, Kind::Global(rules::Global::RequestAuth))
        }
        _ => false,
    };
    let mut found = Vec::new();
    ruleset.lowered().expressions().for_each(|expr| collect(expr, &is_token, &mut found));
    found
}

/// Where Realtime Database rules look at claims.
pub fn of_realtime(ruleset: &policy::rtdb::Ruleset) -> Vec<ClaimUse> {
    let is_token = |expr: &realtime::Condition| match &expr.kind {
        Kind::Member(auth, name) => {
            **name == *"token" && matches!(auth.kind, Kind::Global(realtime::Global::Auth))
        }
        _ => false,
    };
    let mut found = Vec::new();
    for rule in ruleset.nodes().iter().flat_map(realtime::Node::rules) {
        collect(&rule.condition, &is_token, &mut found);
    }
    found
}

/// One use, and in which text of the project it is.
struct Use {
    text: usize,
    claim: ClaimUse,
}

/// Tells of claims that are one thing here and another there, and of names that look misspelled.
pub fn compare(project: &mut [Checked]) {
    let mut uses: BTreeMap<String, Vec<Use>> = BTreeMap::new();
    for (text, checked) in project.iter().enumerate().filter(|(_, checked)| checked.language != Language::Cel)
    {
        for claim in &checked.claims {
            let known = uses.entry(claim.name.clone()).or_default();
            if !known.iter().any(|known| known.text == text && known.claim.span == claim.span) {
                known.push(Use { text, claim: claim.clone() });
            }
        }
    }
    let mut found = Vec::new();
    for (name, uses) in uses.iter().filter(|(name, _)| !STANDARD.contains(&name.as_str())) {
        found.extend(unlike(project, name, uses));
    }
    found.extend(misspelled(project, &uses));
    for (text, diagnostic) in found {
        if let Some(checked) = project.get_mut(text) {
            checked.diagnostics.push(diagnostic);
        }
    }
}

/// Where a use is, for a message about another one.
fn place(project: &[Checked], of: &Use, beside: usize) -> String {
    let Some(checked) = project.get(of.text) else { return String::new() };
    let (line, _) = checked.source.line_column(of.claim.span.start);
    if of.text == beside { format!("on line {line}") } else { format!("in {}:{line}", checked.source.name) }
}

/// A claim that is compared with different kinds of values: the kind that fewer uses have is told.
fn unlike(project: &[Checked], name: &str, uses: &[Use]) -> Vec<(usize, Diagnostic)> {
    let mut kinds: BTreeMap<&Compared, Vec<&Use>> = BTreeMap::new();
    for one in uses.iter().filter(|one| one.claim.compared != Compared::Unknown) {
        kinds.entry(&one.claim.compared).or_default().push(one);
    }
    // Of equally many, what comes first counts.
    let first = |uses: &[&Use]| uses.iter().map(|one| (one.text, one.claim.span.start)).min();
    let common = kinds.iter().max_by_key(|(_, uses)| (uses.len(), std::cmp::Reverse(first(uses))));
    let Some((common, like)) = common else { return Vec::new() };
    let Some(example) = like.first() else { return Vec::new() };
    let others = kinds.iter().filter(|(kind, _)| *kind != common);
    let told = others.flat_map(|(kind, uses)| uses.iter().map(move |one| (*kind, *one)));
    told.map(|(kind, one)| {
        let message = format!(
            "claim `{name}` is compared with {} here and with {} {}: one of them is never equal",
            kind.name(),
            common.name(),
            place(project, example, one.text),
        );
        let mut diagnostic = Diagnostic::warning("claim-used-inconsistently", one.claim.span, message)
            .help("write both as what `setCustomUserClaims` puts there");
        if one.text == example.text {
            diagnostic = diagnostic.label(example.claim.span, format!("{} here", common.name()));
        }
        (one.text, diagnostic)
    })
    .collect()
}

/// A claim that is there once and is nearly called like one that is there more often.
fn misspelled(project: &[Checked], uses: &BTreeMap<String, Vec<Use>>) -> Vec<(usize, Diagnostic)> {
    let mut found = Vec::new();
    for (name, own) in uses {
        let [only] = &**own else { continue };
        if name.len() < MISSPELLED_LETTERS_MIN || STANDARD.contains(&name.as_str()) {
            continue;
        }
        let often = uses.iter().filter(|(other, uses)| {
            *other != name
                && other.len() >= MISSPELLED_LETTERS_MIN
                && (uses.len() > 1 || STANDARD.contains(&other.as_str()))
                && one_slip_apart(name, other)
        });
        let often = often.map(|(other, _)| other.as_str());
        let standard = STANDARD.into_iter().filter(|other| other.len() >= MISSPELLED_LETTERS_MIN);
        let Some(near) = nearest(name, often.chain(standard.filter(|other| one_slip_apart(name, other))))
        else {
            continue;
        };
        let mut message = format!("claim `{name}` is looked at only here, and is nearly called `{near}`");
        if let Some(example) = uses.get(near).and_then(|uses| uses.first()) {
            message.push_str(&format!(", which is looked at {}", place(project, example, only.text)));
        }
        let diagnostic = Diagnostic::warning("claim-misspelled", only.claim.span, message)
            .help(format!("did you mean `{near}`?"));
        found.push((only.text, diagnostic));
    }
    found
}

/// Whether one letter is changed, added, dropped or two are swapped, or only letter case or `_` differ. Not the plural.
pub fn one_slip_apart(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> Vec<char> {
        name.chars().filter(|letter| *letter != '_').flat_map(char::to_lowercase).collect()
    };
    let (a, b) = (plain(a), plain(b));
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    if short == long {
        return true;
    }
    let same = short.iter().zip(long.iter()).take_while(|(a, b)| a == b).count();
    let (short_rest, long_rest) =
        (short.get(same..).unwrap_or_default(), long.get(same..).unwrap_or_default());
    match long.len() - short.len() {
        0 => {
            let after = |rest: &[char], count: usize| rest.get(count..).map(<[char]>::to_vec);
            let swapped = matches!(
                (short_rest, long_rest),
                ([a, b, ..], [c, d, ..]) if a == d && b == c
            );
            // Names with a number at the end, `level1` and `level2`, are meant to be alike.
            let digits = short_rest.first().is_some_and(char::is_ascii_digit)
                || long_rest.first().is_some_and(char::is_ascii_digit);
            !digits && after(short_rest, 1) == after(long_rest, 1)
                || swapped && after(short_rest, 2) == after(long_rest, 2)
        }
        1 => {
            let added = long_rest.first().copied().unwrap_or(' ');
            let plural = long_rest == ['s'];
            !plural && !added.is_ascii_digit() && long_rest.get(1..) == Some(short_rest)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::one_slip_apart;

    #[test]
    fn a_slip_is_one_letter() {
        for (a, b, expected) in [
            ("moderator", "moderater", true),
            ("moderator", "modertor", true),
            ("moderator", "modreator", true),
            ("isAdmin", "isadmin", true),
            ("is_admin", "isAdmin", true),
            ("editor", "editors", false),
            ("level1", "level2", false),
            ("admin", "owner", false),
            ("reader", "leaders", false),
        ] {
            assert_eq!(one_slip_apart(a, b), expected, "{a} {b}");
            assert_eq!(one_slip_apart(b, a), expected, "{b} {a}");
        }
    }
}
