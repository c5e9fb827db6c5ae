//! What does not obey yet, with today's number: it may shrink, and leaves this list when it obeys.

use super::breach::{Breach, Subject};

/// Something that the house forbids and that is there, for now.
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    file: &'static str,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// At most so many lines.
    File(usize),
    /// At most so many lines.
    Function(&'static str, usize),
    Comment,
}

const fn file(file: &'static str, lines: usize) -> Exception {
    Exception { file, what: What::File(lines) }
}

const fn function(file: &'static str, name: &'static str, lines: usize) -> Exception {
    Exception { file, what: What::Function(name, lines) }
}

const fn comment(file: &'static str) -> Exception {
    Exception { file, what: What::Comment }
}

/// The list.
pub const EXCEPTIONS: [Exception; 1] = [function("crates/kv/src/committer/simulation.rs", "simulate", 128)];

const HERE: &str = "xtask/src/tidy/exceptions.rs";

impl Exception {
    /// Whether a breach is about the same thing, however long.
    fn is_about(&self, breach: &Breach) -> bool {
        breach.file == self.file
            && match (self.what, &breach.subject) {
                (What::File(_), Some(Subject::File(_))) | (What::Comment, Some(Subject::Comment)) => true,
                (What::Function(name, _), Some(Subject::Function(found, _))) => name == found,
                _ => false,
            }
    }

    fn covers(&self, breach: &Breach) -> bool {
        self.is_about(breach)
            && match (self.what, &breach.subject) {
                (What::File(most), Some(Subject::File(lines)))
                | (What::Function(_, most), Some(Subject::Function(_, lines))) => *lines <= most,
                _ => true,
            }
    }
}

/// What remains of the breaches; an exception that nothing needs is one too.
pub fn apply(exceptions: &[Exception], breaches: Vec<Breach>) -> Vec<Breach> {
    let unneeded: Vec<_> = exceptions
        .iter()
        .filter(|exception| !breaches.iter().any(|breach| exception.is_about(breach)))
        .map(|exception| {
            let what = match exception.what {
                What::File(_) => "the whole file",
                What::Function(name, _) => name,
                What::Comment => "a comment",
            };
            let message = format!("`{}` ({what}) obeys: take it from the exceptions", exception.file);
            Breach::new(HERE, 1, message)
        })
        .collect();
    let covered = |breach: &Breach| exceptions.iter().any(|exception| exception.covers(breach));
    breaches.into_iter().filter(|breach| !covered(breach)).chain(unneeded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: [Exception; 3] = [file("a.rs", 600), function("a.rs", "f", 80), comment("b.rs")];

    fn breach(file: &str, subject: Subject) -> Breach {
        Breach { subject: Some(subject), ..Breach::new(file, 7, "forbidden") }
    }

    /// What remains of a file, a function of it and a comment in another file.
    fn remaining(file: usize, function: (&str, usize), comment: &str) -> Vec<String> {
        let breaches = vec![
            breach("a.rs", Subject::File(file)),
            breach("a.rs", Subject::Function(function.0.to_owned(), function.1)),
            breach(comment, Subject::Comment),
        ];
        apply(&LIST, breaches).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_exception_holds_up_to_its_number() {
        assert_eq!(remaining(600, ("f", 80), "b.rs"), Vec::<String>::new());
        assert_eq!(remaining(550, ("f", 71), "b.rs"), Vec::<String>::new());
        assert_eq!(remaining(601, ("f", 80), "b.rs"), ["a.rs:7: forbidden"]);
        assert_eq!(remaining(600, ("f", 81), "b.rs"), ["a.rs:7: forbidden"]);
    }

    #[test]
    fn an_exception_that_nothing_needs_is_a_breach() {
        let unneeded = |what: &str| format!("{HERE}:1: {what} obeys: take it from the exceptions");
        assert_eq!(
            remaining(600, ("g", 80), "b.rs"),
            ["a.rs:7: forbidden".to_owned(), unneeded("`a.rs` (f)")]
        );
        assert_eq!(
            remaining(600, ("f", 80), "a.rs"),
            ["a.rs:7: forbidden".to_owned(), unneeded("`b.rs` (a comment)")]
        );
    }
}
