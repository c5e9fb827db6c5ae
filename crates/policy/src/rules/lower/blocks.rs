//! `match` blocks: their patterns and what they allow.

use super::{Lowering, Rule, method_bits, slash};
use crate::decision::RulePosition;
use crate::diagnostic::Diagnostic;
use crate::rules::ast::{self, Version};
use crate::rules::target::{Pattern, PatternSegment};
use crate::rules::warnings;

/// Levels of `match`; the outermost is not counted in the message.
const MATCH_LEVELS_MAX: usize = 11;
/// Segments of a pattern.
const PATTERN_SEGMENTS_MAX: usize = 100;
/// Variables of a pattern.
const PATTERN_CAPTURES_MAX: usize = 20;
impl Lowering<'_> {
    pub(super) fn match_block(&mut self, block: &ast::Match, outer: &Pattern, level: usize) {
        if level > MATCH_LEVELS_MAX {
            let message =
                format!("Maximum allowed resource rule depth of {} is reached.", MATCH_LEVELS_MAX - 1);
            self.tell(Diagnostic::error("nested-too-deeply", block.keyword, message));
            return;
        }
        if self.version == Version::One
            && outer.glob.is_some()
            && outer.segments.last() == Some(&PatternSegment::Glob)
        {
            let message = "Glob(**) resource rules should not have child resource rules.";
            self.tell(Diagnostic::warning("glob-with-children", block.pattern_span, message));
        }
        let captures = self.captures.len();
        let pattern = self.pattern(block, outer);
        let index = self.out.patterns.len();
        self.out.patterns.push(pattern.clone());
        self.scope(&block.functions, |lowering| {
            for allow in &block.allows {
                lowering.allow(allow, index);
            }
            for inner in &block.matches {
                lowering.match_block(inner, &pattern, level + 1);
            }
        });
        self.captures.truncate(captures);
    }

    /// The pattern of a block within another. Its variables are in scope from here on.
    fn pattern(&mut self, block: &ast::Match, outer: &Pattern) -> Pattern {
        let mut pattern = outer.clone();
        let captures = self.captures.len();
        for segment in &block.pattern {
            let (segment, name) = match segment {
                ast::Segment::Text(text) => (PatternSegment::Text(text.as_str().into()), None),
                ast::Segment::One(name) => (PatternSegment::One, Some(name)),
                ast::Segment::Glob(name) => (PatternSegment::Glob, Some(name)),
            };
            if let Some(name) = name {
                self.check_variable_name(name);
                let own = self.captures.get(captures..).unwrap_or_default();
                if own.contains(&name.text) {
                    let message = format!("Variable {} already exists in the PathTemplate.", name.text);
                    self.tell(Diagnostic::error("duplicate-variable", name.span, message));
                } else if self.captures.contains(&name.text) {
                    let message = format!("path variable `{}` hides an outer one", name.text);
                    self.tell(Diagnostic::warning("shadows-variable", name.span, message));
                }
                self.captures.push(name.text.clone());
                pattern.captures.push((pattern.segments.len(), name.text.as_str().into()));
            }
            if segment == PatternSegment::Glob {
                if pattern.glob.is_some() {
                    let message = "Invalid glob match expression. Only one glob match is permitted in a match \
                                   declaration path.";
                    let outer = if outer.glob.is_some() { Some(block.keyword) } else { name.map(slash) };
                    let help = "a path has one `{name=**}`, those of the outer blocks included";
                    let span = outer.unwrap_or(block.pattern_span);
                    self.tell(Diagnostic::error("two-globs", span, message).help(help));
                }
                pattern.glob = Some(pattern.segments.len());
            }
            pattern.segments.push(segment);
            if pattern.segments.len() > PATTERN_SEGMENTS_MAX {
                break;
            }
        }
        self.check_pattern(block, &pattern);
        pattern
    }

    /// Where a glob may stand, and how long a pattern may be.
    fn check_pattern(&mut self, block: &ast::Match, pattern: &Pattern) {
        let glob_inside = block.pattern.iter().rev().skip(1).find_map(|segment| match segment {
            ast::Segment::Glob(name) => Some(slash(name)),
            _ => None,
        });
        if let Some(slash) = glob_inside.filter(|_| self.version == Version::One) {
            let message = "Invalid glob match expression. Glob matches are permitted as the last segment in a match \
                           declaration path.";
            let help = "with `rules_version = '2';` a glob may stand anywhere";
            self.tell(Diagnostic::error("glob-not-last", slash, message).help(help));
        }
        if pattern.segments.len() > PATTERN_SEGMENTS_MAX {
            let message = format!("Maximum allowed path length of {PATTERN_SEGMENTS_MAX} is reached.");
            self.tell(Diagnostic::error("pattern-too-long", block.keyword, message));
        }
        if pattern.captures.len() > PATTERN_CAPTURES_MAX {
            let message =
                format!("Maximum allowed amount of {PATTERN_CAPTURES_MAX} match field variables is reached.");
            self.tell(Diagnostic::error("too-many-captures", block.keyword, message));
        }
    }

    fn allow(&mut self, allow: &ast::Allow, pattern: usize) {
        let mut methods = 0;
        for verb in &allow.verbs {
            let bits = method_bits(&verb.text.to_ascii_lowercase());
            if bits.is_none() || !self.is_service_known {
                self.tell(warnings::method(verb));
            }
            methods |= bits.unwrap_or(0);
        }
        self.locals.clear();
        let condition = allow.condition.as_ref().map(|condition| self.expr(condition));
        if let Some(diagnostic) = allow.condition.as_ref().and_then(warnings::not_boolean) {
            self.tell(diagnostic);
        }
        let position = RulePosition { line: 1, column: 1, span: allow.span };
        self.out.rules.push(Rule { span: allow.span, position, pattern, methods, condition });
    }
}
