//! The uses of each claim in all texts of a project, for the findings that compare them.

use std::collections::BTreeMap;

use crate::Language;
use crate::checked::Checked;
use crate::readers::claims::ClaimUse;

/// Claims that every token may have. Their values are not the project's choice.
pub const STANDARD: [&str; 15] = [
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

/// One use, and in which text of the project it is.
pub struct Use {
    /// The text's index.
    pub text: usize,
    /// The use.
    pub claim: ClaimUse,
}

/// Uses by the claim's name.
pub type Uses = BTreeMap<String, Vec<Use>>;

/// All uses in a project, each once.
pub fn uses(project: &[Checked]) -> Uses {
    let mut uses = Uses::new();
    let texts = project.iter().enumerate().filter(|(_, checked)| checked.language != Language::Cel);
    for (text, checked) in texts {
        for claim in &checked.claims {
            let known = uses.entry(claim.name.clone()).or_default();
            if !known.iter().any(|known| known.text == text && known.claim.span == claim.span) {
                known.push(Use { text, claim: claim.clone() });
            }
        }
    }
    uses
}

/// Where a use is, for a message about another one.
pub fn place(project: &[Checked], of: &Use, beside: usize) -> String {
    let Some(checked) = project.get(of.text) else { return String::new() };
    let (line, _) = checked.source.line_column(of.claim.span.start);
    if of.text == beside { format!("on line {line}") } else { format!("in {}:{line}", checked.source.name) }
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
