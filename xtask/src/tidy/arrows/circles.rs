//! Circles in a graph of arrows, the shortest first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One place where a module names another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    pub from: String,
    pub to: String,
    pub file: String,
    pub line: usize,
    /// The line itself.
    pub text: String,
}

/// For each pair of modules, the first place and how many there are.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, (&'a Arrow, usize)>>;

/// The arrows of a circle, each with the number of its places.
pub type Circle<'a> = Vec<(&'a Arrow, usize)>;

/// Circles such that cutting one arrow of each leaves none: the shortest is found, its arrow with the fewest
/// places is cut, and so on. Each circle ends with that arrow, which crosses.
pub fn find<'a>(arrows: &'a [Arrow], crosses: impl Fn(&str, &str) -> bool) -> Vec<Circle<'a>> {
    let mut graph = Graph::new();
    for arrow in arrows {
        let places = graph.entry(&arrow.from).or_default().entry(&arrow.to).or_insert((arrow, 0));
        places.1 += 1;
    }
    let mut circles = Vec::new();
    while let Some(mut circle) = shortest(&graph, &crosses) {
        let cheapest = circle
            .iter()
            .enumerate()
            .filter(|(_, (arrow, _))| crosses(&arrow.from, &arrow.to))
            .min_by_key(|(_, (_, places))| *places)
            .map_or(0, |(index, _)| index);
        circle.rotate_left(cheapest + 1);
        if let Some((arrow, _)) = circle.last()
            && let Some(to) = graph.get_mut(arrow.from.as_str())
        {
            to.remove(arrow.to.as_str());
        }
        circles.push(circle);
    }
    circles
}

/// The shortest circle with an arrow that crosses.
fn shortest<'a>(graph: &Graph<'a>, crosses: &impl Fn(&str, &str) -> bool) -> Option<Circle<'a>> {
    let mut best: Option<Circle> = None;
    for (from, arrows) in graph {
        for (to, arrow) in arrows.iter().filter(|(to, _)| crosses(from, to)) {
            if let Some(back) = way(graph, to, from)
                && best.as_ref().is_none_or(|best| back.len() + 1 < best.len())
            {
                best = Some([vec![*arrow], back].concat());
            }
        }
    }
    best
}

/// The shortest way between two modules.
fn way<'a>(graph: &Graph<'a>, from: &'a str, to: &str) -> Option<Circle<'a>> {
    let mut came: BTreeMap<&str, (&Arrow, usize)> = BTreeMap::new();
    let mut seen = BTreeSet::from([from]);
    let mut waiting = VecDeque::from([from]);
    while let Some(here) = waiting.pop_front() {
        if here == to {
            let mut way = Vec::new();
            let mut here = here;
            while let Some(&arrow) = came.get(here) {
                way.push(arrow);
                here = &arrow.0.from;
            }
            way.reverse();
            return Some(way);
        }
        for (next, arrow) in graph.get(here).into_iter().flatten() {
            if seen.insert(*next) {
                came.insert(*next, *arrow);
                waiting.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(arrows: &str, crosses: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let arrows: Vec<_> = arrows
            .split(' ')
            .filter_map(|arrow| arrow.split_once('>'))
            .map(|(from, to)| Arrow {
                from: from.to_owned(),
                to: to.to_owned(),
                file: String::new(),
                line: 1,
                text: String::new(),
            })
            .collect();
        find(&arrows, crosses)
            .iter()
            .map(|circle| {
                let arrows: Vec<_> =
                    circle.iter().map(|(arrow, n)| format!("{}>{}*{n}", arrow.from, arrow.to)).collect();
                arrows.join(" ")
            })
            .collect()
    }

    #[test]
    fn circles_are_found_shortest_first() {
        let cases: [(&str, &[&str]); 5] = [
            ("a>b b>c a>c", &[]),
            ("a>b a>b b>a", &["a>b*2 b>a*1"]),
            ("a>b b>c c>a a>b c>a", &["c>a*2 a>b*2 b>c*1"]),
            // The short circle goes first; what is left without its cheapest arrow has no other.
            ("a>b b>a b>c c>a a>b", &["a>b*2 b>a*1", "b>c*1 c>a*1 a>b*2"]),
            ("a>b b>a c>d d>c", &["b>a*1 a>b*1", "d>c*1 c>d*1"]),
        ];
        for (arrows, expected) in cases {
            let found = circles(arrows, |_, _| true);
            assert_eq!(found.len(), expected.len(), "{arrows}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                let sorted = |text: &str| text.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
                assert_eq!(sorted(found), sorted(expected), "{arrows}");
            }
        }
    }

    #[test]
    fn the_cheapest_arrow_stands_last() {
        assert_eq!(circles("a>b a>b b>a", |_, _| true), ["a>b*2 b>a*1"]);
    }

    #[test]
    fn a_circle_needs_an_arrow_that_crosses() {
        let crosses = |from: &str, to: &str| from.len() != to.len();
        assert_eq!(circles("a>b b>a", crosses), Vec::<String>::new());
        assert_eq!(circles("a>b b>cc cc>a", crosses).len(), 1);
    }
}
