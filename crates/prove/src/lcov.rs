//! Coverage as an lcov tracefile, which editors and CI services read.
//!
//! A line's hits are those of the most evaluated expression or rule that begins on it. A condition is a branch with two
//! ways: it was true, or it was not.

use std::collections::BTreeMap;
use std::fmt::Write;

use policy::Coverage;

/// The tracefile's record of what was covered.
pub fn lcov(coverage: &Coverage) -> String {
    // Writing to a `String` cannot fail.
    let mut out = String::new();
    let _ = writeln!(out, "TN:\nSF:{}", coverage.source().name.replace(['\n', '\r'], " "));
    let line = |offset: u32| coverage.positions().line(offset) + 1;
    let mut found = 0;
    for function in &coverage.sites().functions {
        let hits = coverage.seen(function.body).map_or(0, |seen| seen.count);
        let _ = writeln!(out, "FN:{},{}", line(function.body.start), function.name);
        let _ = writeln!(out, "FNDA:{hits},{}", function.name);
        found += usize::from(hits > 0);
    }
    let _ = writeln!(out, "FNF:{}\nFNH:{found}", coverage.sites().functions.len());
    let mut lines: BTreeMap<usize, u64> = BTreeMap::new();
    let mut hit = |line: usize, count: u64| {
        let hits = lines.entry(line).or_default();
        *hits = (*hits).max(count);
    };
    for rule in &coverage.sites().rules {
        hit(line(rule.span.start), coverage.rule_seen(rule.span).count);
    }
    let (mut block, mut taken) = (0, 0);
    coverage.each_site(&mut |site, seen| {
        let line = line(site.span.start);
        hit(line, seen.count);
        if !site.is_condition {
            return;
        }
        for (way, count) in [seen.true_count, seen.count - seen.true_count].into_iter().enumerate() {
            let count = if seen.count == 0 { "-".to_owned() } else { count.to_string() };
            taken += usize::from(count != "-" && count != "0");
            let _ = writeln!(out, "BRDA:{line},{block},{way},{count}");
        }
        block += 1;
    });
    let _ = writeln!(out, "BRF:{}\nBRH:{taken}", block * 2);
    for (line, hits) in &lines {
        let _ = writeln!(out, "DA:{line},{hits}");
    }
    let covered = lines.values().filter(|hits| **hits > 0).count();
    let _ = writeln!(out, "LF:{}\nLH:{covered}\nend_of_record", lines.len());
    out
}
