//! The least that a condition needs to be granted: documents read, expressions, depth of calls.
//!
//! What is counted is the least that any grant needs, so whatever is over a limit surely is.

use std::collections::HashMap;

use policy::ir::{Expr, Kind, Part, walk};
use policy::rules::lowered::Rules;
use policy::{Ruleset, Span};

/// Expressions looked at for one ruleset.
const EXPRESSIONS_MAX: usize = 200_000;
/// Paths remembered of one condition.
const PATHS_MAX: usize = 100;

/// What whoever is let in needs at least.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Documents that are read: paths that differ in a written segment.
    pub reads: u32,
    /// Expressions that are evaluated.
    pub expressions: u64,
    /// How deep functions call each other.
    pub calls: u32,
}

/// What each condition needs, and where it is.
pub fn needs(ruleset: &Ruleset) -> Vec<(Span, Needs)> {
    let mut counter = Counter { ruleset, functions: HashMap::new(), expressions: 0 };
    let mut all = Vec::new();
    for rule in &ruleset.lowered().rules {
        let Some(condition) = &rule.condition else { continue };
        let Count { expressions, calls, reads } = counter.needs(condition);
        let reads = u32::try_from(different(&reads)).unwrap_or(u32::MAX);
        all.push((condition.span, Needs { reads, expressions, calls }));
    }
    all
}

/// What an expression needs at least.
#[derive(Clone, Default)]
struct Count {
    expressions: u64,
    calls: u32,
    /// Paths of documents that are surely read; `None` is a part that is computed.
    reads: Vec<Vec<Option<String>>>,
}

struct Counter<'r> {
    ruleset: &'r Ruleset,
    /// What a body needs, its arguments aside; the paths with computed parts.
    functions: HashMap<usize, Count>,
    expressions: usize,
}

impl Counter<'_> {
    /// Recursion is bounded by the parser and, in functions, by what is remembered: there are no cycles.
    fn needs(&mut self, expr: &Expr<Rules>) -> Count {
        self.expressions += 1;
        if self.expressions > EXPRESSIONS_MAX {
            return Count::default();
        }
        match &expr.kind {
            // Constants are free.
            Kind::Constant(_) => Count::default(),
            Kind::Or(parts) => self.least(parts),
            Kind::Condition(test, yes, no) => {
                let test = self.needs(test);
                let one = [self.needs(yes), self.needs(no)].into_iter().reduce(least).unwrap_or_default();
                one_more(all([test, one].into_iter()))
            }
            Kind::Call(function, arguments) => {
                let mut needs = self.function(*function);
                needs.calls += 1;
                let arguments: Vec<Count> = arguments.iter().map(|argument| self.needs(argument)).collect();
                one_more(all(arguments.into_iter().chain([needs])))
            }
            Kind::Function(function, arguments) => {
                let inner: Vec<Count> = arguments.iter().map(|argument| self.needs(argument)).collect();
                let mut needs = one_more(all(inner.into_iter()));
                if function.reads()
                    && let [path] = &**arguments
                    && needs.reads.len() < PATHS_MAX
                {
                    needs.reads.extend(segments(path));
                }
                needs
            }
            _ => {
                let mut inner = Vec::new();
                walk::children(expr, &mut |child| inner.push(child));
                let inner: Vec<Count> = inner.into_iter().map(|child| self.needs(child)).collect();
                one_more(all(inner.into_iter()))
            }
        }
    }

    fn function(&mut self, index: usize) -> Count {
        if let Some(known) = self.functions.get(&index) {
            return known.clone();
        }
        let ruleset = self.ruleset;
        // `let`s count only where they are used, and nothing tells here whether they are.
        let needs = ruleset
            .lowered()
            .functions
            .get(index)
            .map_or_else(Count::default, |function| self.needs(&function.body));
        self.functions.insert(index, needs.clone());
        needs
    }

    /// Of alternatives, what the cheapest needs of each.
    fn least(&mut self, parts: &[Expr<Rules>]) -> Count {
        let parts: Vec<Count> = parts.iter().map(|part| self.needs(part)).collect();
        one_more(parts.into_iter().reduce(least).unwrap_or_default())
    }
}

fn one_more(mut needs: Count) -> Count {
    needs.expressions = needs.expressions.saturating_add(1);
    needs
}

fn all(parts: impl Iterator<Item = Count>) -> Count {
    parts.fold(Count::default(), |mut all, part| {
        all.expressions = all.expressions.saturating_add(part.expressions);
        all.calls = all.calls.max(part.calls);
        if all.reads.len() < PATHS_MAX {
            all.reads.extend(part.reads);
        }
        all
    })
}

fn least(one: Count, two: Count) -> Count {
    let fewer = if different(&two.reads) < different(&one.reads) { two.reads } else { one.reads };
    Count { expressions: one.expressions.min(two.expressions), calls: one.calls.min(two.calls), reads: fewer }
}

/// The segments of a path that is written as one.
fn segments(path: &Expr<Rules>) -> Option<Vec<Option<String>>> {
    let Kind::Path(parts) = &path.kind else { return None };
    let segment = |part: &Part<Rules>| match part {
        Part::Text(text) => Some(text.to_string()),
        Part::Value(_) => None,
    };
    Some(parts.iter().map(segment).collect())
}

/// How many of the paths surely are of different documents: those that differ in a written segment.
fn different(paths: &[Vec<Option<String>>]) -> usize {
    let differ = |one: &[Option<String>], two: &[Option<String>]| {
        one.len() == two.len()
            && one.iter().zip(two).any(|pair| matches!(pair, (Some(one), Some(two)) if one != two))
    };
    let mut kept: Vec<&[Option<String>]> = Vec::new();
    for path in paths {
        if kept.iter().all(|known| differ(known, path)) {
            kept.push(path);
        }
    }
    kept.len()
}
