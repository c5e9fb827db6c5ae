//! No dead pages: every file of `docs/` can be reached by links from the pages in the repository's folder.

use std::collections::{BTreeMap, BTreeSet};

use super::breach::Breach;
use super::modules::join;
use super::repository::Repository;

/// Every page that no reader finds.
pub fn check(repository: &Repository) -> Vec<Breach> {
    let pages: BTreeMap<_, _> = repository.texts.iter().filter(|(path, _)| path.ends_with(".md")).collect();
    let mut waiting: Vec<String> =
        pages.keys().filter(|path| !path.contains('/')).map(|path| (*path).clone()).collect();
    let mut reached = BTreeSet::new();
    while let Some(path) = waiting.pop() {
        if let Some(text) = pages.get(&path) {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let links = links(text).map(|link| join(folder, link));
            waiting.extend(links.filter(|link| !reached.contains(link)));
        }
        reached.insert(path);
    }
    let pages = repository.files.iter().filter(|path| path.starts_with("docs/"));
    pages
        .filter(|path| !reached.contains(*path))
        .map(|path| {
            Breach::new(path, 1, "no page links to this file: link it from README.md or another page")
        })
        .collect()
}

/// What the links of a page point to, without the place inside the page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#', ' ']).next())
        .filter(|link| !link.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_by_links() {
        let repository = Repository::of(&[
            ("README.md", "See [a](docs/a.md) and [more](https://example.com/docs/d.md)."),
            ("docs/a.md", "[b](guide/b.md#there), [the code](../crates/x)"),
            ("docs/guide/b.md", "[a](../a.md), ![](picture.png)"),
            ("docs/guide/picture.png", ""),
            ("docs/c.md", "[c](c.md), [d](d.md)"),
            ("docs/d.md", "[c](c.md)"),
        ]);
        let found: Vec<_> = check(&repository).iter().map(ToString::to_string).collect();
        let expected = ["docs/c.md", "docs/d.md"].map(|file| {
            format!("{file}:1: no page links to this file: link it from README.md or another page")
        });
        assert_eq!(found, expected);
    }
}
