//! Explains comments that went wrong: Bolt itself sees paths in them, since both begin with a slash.

/// What is wrong with a comment at the place where something else was reported.
pub(super) fn explain(text: &str, at: usize) -> Option<String> {
    let line = |offset: usize| 1 + text.get(..offset).unwrap_or("").matches('\n').count();
    let rest = text.get(at..)?;
    let before = text.get(..at)?;
    if rest.starts_with("/*") {
        return Some(format!(
            "the comment that begins with `/*` on line {} is never closed with `*/`",
            line(at)
        ));
    }
    if rest.starts_with('/') && before.ends_with("*/") {
        let begin = before.rfind("/*")?;
        return Some(format!(
            "the comment that begins on line {} is already closed by the `*/` on line {}; the `/` after it begins a path: remove it",
            line(begin),
            line(at),
        ));
    }
    if rest.starts_with("*/") {
        return Some(format!("the `*/` on line {} closes no comment: comments do not nest", line(at)));
    }
    None
}
