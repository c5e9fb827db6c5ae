//! What functions call: none can reach itself, and chains of calls are bounded.

use super::Lowering;
use crate::diagnostic::Diagnostic;

/// Calls within calls.
const CALL_LEVELS_MAX: usize = 20;

impl Lowering<'_> {
    /// Refuses functions that can reach themselves, and chains of calls that are too long.
    pub(super) fn check_calls(&mut self) {
        let count = self.declared.len();
        let mut callees: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (caller, callee, _) in &self.calls {
            if let Some(callees) = callees.get_mut(*caller) {
                callees.push(*callee);
            }
        }
        let levels = levels(&callees);
        let level = |index: usize| levels.get(index).copied().flatten();
        if let Some(first) = (0..count).find(|index| level(*index).is_none()) {
            return self.cycle(first, &callees, &|index| level(index).is_none());
        }
        let Some(start) = (0..count).find(|index| level(*index).is_some_and(|level| level > CALL_LEVELS_MAX))
        else {
            return;
        };
        let mut chain = vec![start];
        while chain.len() <= CALL_LEVELS_MAX + 1 {
            let deepest = chain.last().and_then(|at| callees.get(*at)).into_iter().flatten();
            let Some(next) = deepest.copied().max_by_key(|callee| level(*callee)) else { break };
            chain.push(next);
        }
        let Some(last) = chain.pop().and_then(|last| self.declared.get(last)) else { return };
        let place = last.name.span;
        let stack = self.names(&chain).join("->");
        let message =
            format!("Maximum allowed call depth of {CALL_LEVELS_MAX} is reached for [{stack}] call stack.");
        self.tell(Diagnostic::error("calls-too-deep", place, message));
    }

    fn names(&self, functions: &[usize]) -> Vec<&str> {
        let declared = functions.iter().filter_map(|index| self.declared.get(*index));
        declared.map(|declared| declared.name.text.as_str()).collect()
    }

    /// Reports a cycle that can be reached from a function; `is_left` are those of which every one calls another.
    fn cycle(&mut self, from: usize, callees: &[Vec<usize>], is_left: &dyn Fn(usize) -> bool) {
        let next = |at: usize| callees.get(at).into_iter().flatten().copied().find(|callee| is_left(*callee));
        let mut way = vec![from];
        let mut at = from;
        let cycle = loop {
            let Some(callee) = next(at) else { return };
            if let Some(begin) = way.iter().position(|seen| *seen == callee) {
                break way.split_off(begin);
            }
            way.push(callee);
            at = callee;
        };
        // It begins with the function that is first in the text.
        let first =
            cycle.iter().enumerate().min_by_key(|(_, index)| **index).map_or(0, |(position, _)| position);
        let cycle: Vec<usize> = cycle.iter().cycle().skip(first).take(cycle.len()).copied().collect();
        let Some(declared) = cycle.first().and_then(|index| self.declared.get(*index)) else { return };
        let place = declared.name.span;
        let message = match &cycle[..] {
            [_] => "Recursive call is not allowed.".to_owned(),
            several => {
                format!("Detected a call cycle between [{}] functions.", self.names(several).join(","))
            }
        };
        self.tell(Diagnostic::error("recursion", place, message));
    }
}

/// How many calls deep each function goes; `None` for those that reach a cycle.
fn levels(callees: &[Vec<usize>]) -> Vec<Option<usize>> {
    let mut pending: Vec<usize> = callees.iter().map(Vec::len).collect();
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); callees.len()];
    for (caller, called) in callees.iter().enumerate() {
        for callee in called {
            if let Some(callers) = callers.get_mut(*callee) {
                callers.push(caller);
            }
        }
    }
    let mut levels: Vec<Option<usize>> = vec![None; callees.len()];
    // Functions that call nothing, then those that call only such: what remains reaches a cycle.
    let mut free: Vec<usize> = (0..callees.len()).filter(|index| pending.get(*index) == Some(&0)).collect();
    while let Some(index) = free.pop() {
        let called = callees.get(index).into_iter().flatten();
        let deepest =
            called.filter_map(|callee| levels.get(*callee).copied().flatten()).map(|level| level + 1).max();
        if let Some(level) = levels.get_mut(index) {
            *level = Some(deepest.unwrap_or(0));
        }
        for caller in callers.get(index).into_iter().flatten() {
            if let Some(pending) = pending.get_mut(*caller) {
                *pending -= 1;
                if *pending == 0 {
                    free.push(*caller);
                }
            }
        }
    }
    levels
}
