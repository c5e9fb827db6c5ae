//! Whether a decision is today's, and why not.

use access::log::Verdict;

/// What is known of two decisions about one request.
pub struct Difference {
    /// The verdict in the log.
    pub logged: Verdict,
    /// The verdict of that moment, made again.
    pub then: Option<Verdict>,
    /// The verdict of today.
    pub today: Option<Verdict>,
    /// Whether the rules are the same text; `None` where one is not known.
    pub same_rules: Option<bool>,
    /// What today's rules say of the documents of that moment, and the rules of that moment of today's documents.
    pub crossed: (Option<bool>, Option<bool>),
    /// Documents that are not as they were.
    pub changed: Vec<String>,
    /// Whether a decision depends on the time.
    pub time: bool,
}

/// The sentence.
pub fn compare(difference: &Difference) -> String {
    let Difference { logged, then, today, same_rules, changed, .. } = difference;
    let before = then.unwrap_or(*logged);
    let Some(today) = today else {
        return format!("It was {}; what it would be today is not known.", past(before));
    };
    let rules = match same_rules {
        Some(true) => "the rules are the same",
        Some(false) => "the rules have changed",
        None => "whether the rules are the same is not known",
    };
    let documents = match &changed[..] {
        [] if then.is_none() => "what the documents were is not known".to_owned(),
        [] => "the documents are the same".to_owned(),
        changed => format!("{} changed", list(changed)),
    };
    if before == *today {
        return format!("Today it is {} as well: {rules}, {documents}.", past(*today));
    }
    let why = reasons(difference);
    let why = if why.is_empty() { format!("{rules}, {documents}") } else { why.join(" and ") };
    format!("It was {} then and is {} today: {why}.", past(before), past(*today))
}

/// What alone makes the difference; if nothing does so alone, all that has changed.
fn reasons(difference: &Difference) -> Vec<String> {
    let Difference { today, same_rules, crossed, changed, time, .. } = difference;
    let allows_today = today.map(|today| today == Verdict::Allow);
    let rules = (*same_rules == Some(false)).then(|| "the rules have changed".to_owned());
    let documents = (!changed.is_empty()).then(|| format!("{} changed", list(changed)));
    let by_rules = rules.is_some() && crossed.0.is_some() && crossed.0 == allows_today;
    let by_documents = documents.is_some() && crossed.1.is_some() && crossed.1 == allows_today;
    let time = time.then(|| "the rules depend on the time, which has passed".to_owned());
    match (by_rules, by_documents) {
        (true, false) => rules.into_iter().collect(),
        (false, true) => documents.into_iter().collect(),
        (true, true) => vec![format!(
            "{}, each of which is enough",
            [rules, documents].into_iter().flatten().collect::<Vec<_>>().join(" and ")
        )],
        (false, false) => rules.into_iter().chain(documents).chain(time).collect(),
    }
}

fn past(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow | Verdict::Admin => "allowed",
        Verdict::Deny => "denied",
        Verdict::Error => "an error",
    }
}

fn list(paths: &[String]) -> String {
    match paths {
        [one] => format!("the document {one}"),
        [first, rest @ ..] if rest.len() > 4 => format!("the document {first} and {} more", rest.len()),
        many => format!("the documents {}", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(
        verdicts: [Verdict; 2],
        same_rules: Option<bool>,
        crossed: (bool, bool),
        changed: &[&str],
        time: bool,
    ) -> String {
        compare(&Difference {
            logged: verdicts[0],
            then: Some(verdicts[0]),
            today: Some(verdicts[1]),
            same_rules,
            crossed: (Some(crossed.0), Some(crossed.1)),
            changed: changed.iter().map(|path| (*path).to_owned()).collect(),
            time,
        })
    }

    #[test]
    fn what_makes_the_difference_is_named_and_nothing_else() {
        let deny_allow = [Verdict::Deny, Verdict::Allow];
        let cases = [
            (
                sentence([Verdict::Deny; 2], Some(true), (false, false), &[], false),
                "Today it is denied as well: the rules are the same, the documents are the same.",
            ),
            (
                sentence(deny_allow, Some(false), (true, false), &["/a"], false),
                "It was denied then and is allowed today: the rules have changed.",
            ),
            (
                sentence(deny_allow, Some(false), (false, true), &["/a"], false),
                "It was denied then and is allowed today: the document /a changed.",
            ),
            (
                sentence(deny_allow, Some(false), (false, false), &["/a", "/b"], false),
                "It was denied then and is allowed today: the rules have changed and the documents /a, /b changed.",
            ),
            (
                sentence(deny_allow, Some(false), (true, true), &["/a"], false),
                "It was denied then and is allowed today: the rules have changed and the document /a changed, each of which is enough.",
            ),
            (
                sentence(deny_allow, Some(true), (false, false), &[], true),
                "It was denied then and is allowed today: the rules depend on the time, which has passed.",
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        let unknown = Difference {
            logged: Verdict::Deny,
            then: None,
            today: Some(Verdict::Deny),
            same_rules: None,
            crossed: (None, None),
            changed: Vec::new(),
            time: false,
        };
        assert_eq!(
            compare(&unknown),
            "Today it is denied as well: whether the rules are the same is not known, what the documents were is not known."
        );
        assert_eq!(
            compare(&Difference { today: None, ..unknown }),
            "It was denied; what it would be today is not known."
        );
    }
}
