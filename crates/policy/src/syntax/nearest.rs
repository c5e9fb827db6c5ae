//! The name that was probably meant, for messages about names that do not exist.

/// Bytes of a name for which a similar one is looked for.
const NEAREST_BYTES_MAX: usize = 40;
/// Names looked at for a similar one.
const NEAREST_CANDIDATES_MAX: usize = 200;

/// The name among `names` that is most like this one, if any is much like it.
pub fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > NEAREST_BYTES_MAX {
        return None;
    }
    names
        .filter(|candidate| candidate.len() <= NEAREST_BYTES_MAX)
        .take(NEAREST_CANDIDATES_MAX)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to change, add or drop, letter case aside.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (count, a) in a.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = count;
        let mut left = count + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&b) {
            let change = diagonal + usize::from(a != *b);
            diagonal = *cell;
            left = change.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = count + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
