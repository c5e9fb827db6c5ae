//! Names of the generated API and of the database.
//!
//! Invariant: names must be those of the official tool, or an existing database is not recognised.
//! Source: the reference, §5.4: English plurals by the rules of the Go package jinzhu/inflection, checked against the
//! names in public projects; SQL names split before every capital.

/// The first letter in lower case.
pub fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The first letter in upper case.
pub fn upper_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The name in the database: `photoURL` is `photo_u_r_l`.
pub fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (at, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && at > 0 && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// The plural of a singular; where they are equal, with an `s`.
pub fn plural(singular: &str) -> String {
    let plural = inflected(singular);
    if plural == singular { format!("{singular}s") } else { plural }
}

const UNCOUNTABLE: [&str; 10] =
    ["equipment", "information", "rice", "money", "species", "series", "fish", "sheep", "jeans", "police"];

const IRREGULAR: [(&str, &str); 10] = [
    ("person", "people"),
    ("man", "men"),
    ("child", "children"),
    ("sex", "sexes"),
    ("move", "moves"),
    ("ombie", "ombies"),
    ("goose", "geese"),
    ("foot", "feet"),
    ("moose", "moose"),
    ("tooth", "teeth"),
];

/// A rule: the endings it is for, how many letters of the ending go, and what comes instead.
struct Rule {
    whole: bool,
    endings: &'static [&'static str],
    cut: usize,
    add: &'static str,
}

const fn rule(whole: bool, endings: &'static [&'static str], cut: usize, add: &'static str) -> Rule {
    Rule { whole, endings, cut, add }
}

/// In the order they are tried in.
const RULES: [Rule; 20] = [
    rule(false, &["quiz"], 0, "zes"),
    rule(true, &["oxen"], 0, ""),
    rule(true, &["ox"], 0, "en"),
    rule(true, &["mice", "lice"], 0, ""),
    rule(true, &["mouse", "louse"], 4, "ice"),
    rule(false, &["matrix", "vertix", "indix", "matrex", "vertex", "index"], 2, "ices"),
    rule(false, &["x", "ch", "ss", "sh"], 0, "es"),
    rule(false, &["quy"], 1, "ies"),
    rule(false, &["hive"], 0, "s"),
    rule(false, &["lf", "rf"], 1, "ves"),
    rule(false, &["sis"], 2, "es"),
    rule(false, &["ta", "ia"], 0, ""),
    rule(false, &["tum", "ium"], 2, "a"),
    rule(false, &["buffalo", "tomato"], 0, "es"),
    rule(false, &["bus"], 0, "ses"),
    rule(false, &["alias", "status", "campus"], 0, "es"),
    rule(false, &["octopi", "viri"], 0, ""),
    rule(false, &["octopus", "virus"], 2, "i"),
    rule(true, &["axis", "testis"], 2, "es"),
    rule(false, &["s"], 0, ""),
];

fn inflected(word: &str) -> String {
    let lower = word.to_lowercase();
    if UNCOUNTABLE.contains(&lower.as_str()) {
        return word.to_owned();
    }
    for (singular, plural) in IRREGULAR {
        let kept = word.len().checked_sub(singular.len());
        let Some((head, tail)) = kept.and_then(|at| word.split_at_checked(at)) else { continue };
        if tail == singular {
            return format!("{head}{plural}");
        }
        if tail == upper_first(singular) {
            return format!("{head}{}", upper_first(plural));
        }
        if tail == singular.to_uppercase() {
            return format!("{head}{}", plural.to_uppercase());
        }
    }
    for (at, rule) in RULES.iter().enumerate() {
        if at == 8 && ends_in_consonant_y(&lower) {
            return ending(word, 1, "ies", 1);
        }
        if at == 9 && ends_in_fe(&lower) {
            return ending(word, 2, "ves", 2);
        }
        let fits = |end: &&&str| if rule.whole { lower == **end } else { lower.ends_with(**end) };
        if let Some(end) = rule.endings.iter().find(fits) {
            return ending(word, rule.cut, rule.add, end.len());
        }
    }
    if lower.ends_with(|letter: char| letter.is_ascii_lowercase()) {
        return ending(word, 0, "s", 1);
    }
    word.to_owned()
}

fn before(word: &str, back: usize) -> Option<char> {
    word.chars().rev().nth(back)
}

fn ends_in_consonant_y(word: &str) -> bool {
    word.ends_with('y') && before(word, 1).is_some_and(|letter| !"aeiouy".contains(letter))
}

fn ends_in_fe(word: &str) -> bool {
    word.ends_with("fe") && before(word, 2).is_some_and(|letter| letter != 'f')
}

/// Cuts letters and adds others, which are capitals when the ending is.
fn ending(word: &str, cut: usize, add: &str, length: usize) -> String {
    let tail = word.len().checked_sub(length).and_then(|at| word.get(at..)).unwrap_or(word);
    let is_upper = tail.chars().all(|letter| letter.is_ascii_uppercase());
    let head = word.len().checked_sub(cut).and_then(|at| word.get(..at)).unwrap_or(word);
    let add = if is_upper { add.to_uppercase() } else { add.to_owned() };
    format!("{head}{add}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_those_of_public_projects() {
        let cases = [
            ("person", "people"),
            ("child", "children"),
            ("movie", "movies"),
            ("movieMetadata", "movieMetadatas"),
            ("adminSettings", "adminSettingss"),
            ("manyToManyChildB", "manyToManyChildBS"),
            ("cachingAny", "cachingAnies"),
            ("directedBy", "directedBies"),
            ("address", "addresses"),
            ("analysis", "analyses"),
            ("category", "categories"),
            ("day", "days"),
            ("status", "statuses"),
            ("knife", "knives"),
            ("shelf", "shelves"),
            ("box", "boxes"),
            ("index", "indices"),
            ("series", "seriess"),
            ("contactPerson", "contactPeople"),
            ("notificationOutbox", "notificationOutboxes"),
        ];
        for (singular, expected) in cases {
            assert_eq!(plural(singular), expected);
        }
    }

    #[test]
    fn sql_names_split_before_every_capital() {
        for (name, expected) in
            [("photoURL", "photo_u_r_l"), ("MovieActor", "movie_actor"), ("Order", "order"), ("a_B", "a_b")]
        {
            assert_eq!(snake(name), expected);
        }
    }
}
