use std::cmp::Ordering;

use proptest::prelude::*;
use realtime::model::{Key, KeyError, Path, PathError};

use super::random;

/// The JS SDK's `nameCompare`; where it finds keys equal that are not (`-0` and `00`), by text.
pub fn reference(left: &str, right: &str) -> Ordering {
    let number = |text: &str| -> Option<i64> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit());
        let value = is_number.then(|| text.parse::<i128>().ok())??;
        i32::try_from(value).ok().map(i64::from)
    };
    match (number(left), number(right)) {
        (Some(a), Some(b)) => a.cmp(&b).then(left.len().cmp(&right.len())).then(left.cmp(right)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.encode_utf16().cmp(right.encode_utf16()),
    }
}

fn bytes(key: &Key) -> Vec<u8> {
    let mut out = Vec::new();
    key.encode(&mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn keys_are_ordered_as_in_the_js_sdk_and_so_are_their_bytes(left in random::key(), right in random::key()) {
        let (a, b) = (Key::new(&left).unwrap(), Key::new(&right).unwrap());
        prop_assert_eq!(a.cmp(&b), reference(&left, &right));
        prop_assert_eq!(bytes(&a).cmp(&bytes(&b)), a.cmp(&b));
        prop_assert_eq!(a == b, left == right);
        if a != b {
            prop_assert!(!bytes(&b).starts_with(&bytes(&a)));
        }
    }

    #[test]
    fn any_text_is_a_key_or_refused_and_comes_back_from_its_bytes(text in "\\PC{0,12}|[\\x00-\\x7f]{0,4}", rest in any::<[u8; 3]>()) {
        let forbidden = |character: char| ".$#[]/\u{7f}".contains(character) || character < ' ';
        let is_key = !text.is_empty() && !text.contains(forbidden);
        let key = Key::new(&text);
        prop_assert_eq!(key.is_ok(), is_key);
        let Ok(key) = key else { return Ok(()) };
        let mut encoded = bytes(&key);
        encoded.extend(rest);
        let mut left = encoded.as_slice();
        prop_assert_eq!(Key::decode(&mut left), Some(key));
        prop_assert_eq!(left, rest);
    }

    #[test]
    fn paths_are_ordered_key_by_key_and_so_are_their_bytes(left in random::path(), right in random::path()) {
        let path = |keys: &[String]| Path::parse(&keys.join("/")).unwrap();
        let bytes = |path: &Path| { let mut out = Vec::new(); path.encode(&mut out); out };
        let (a, b) = (path(&left), path(&right));
        prop_assert_eq!(a.cmp(&b), bytes(&a).cmp(&bytes(&b)));
        prop_assert_eq!(Path::parse(&a.to_string()), Ok(a.clone()));
        let joined = a.join(&b);
        prop_assert_eq!(joined.relative_to(&a), Some(b));
        prop_assert!(joined.starts_with(&a));
    }

    #[test]
    fn any_bytes_are_a_key_that_encodes_to_them_or_none(bytes_of in proptest::collection::vec(any::<u8>(), 0..12), tag in 2_u8..4) {
        let mut encoded = vec![tag];
        encoded.extend(bytes_of);
        let mut left = encoded.as_slice();
        if let Some(key) = Key::decode(&mut left) {
            prop_assert_eq!(&bytes(&key), &encoded[..encoded.len() - left.len()]);
        } else {
            prop_assert_eq!(left.len(), encoded.len());
        }
    }
}

#[test]
fn long_numbers_keep_their_order() {
    let zeros = |count: usize| Key::new(&format!("{}1", "0".repeat(count))).unwrap();
    let (short, long) = (zeros(255), zeros(767));
    assert!(short < long && bytes(&short) < bytes(&long));
    assert_eq!(Key::decode(&mut bytes(&long).as_slice()), Some(long));
}

#[test]
fn slashes_do_not_matter_and_what_is_no_key_does() {
    assert_eq!(Path::parse("//a///b/"), Path::parse("a/b"));
    assert_eq!(Path::parse(""), Ok(Path::ROOT));
    assert_eq!(Path::parse("/a/b").unwrap().to_string(), "/a/b");
    assert_eq!(Path::ROOT.to_string(), "/");
    for illegal in [".", "..", "a/../b", ".info/connected", "a/$b", "a\u{0}", "[MAX_NAME]"] {
        let error = Path::parse(illegal).unwrap_err();
        assert!(error.to_string().starts_with("Invalid path: Invalid token in path"), "{illegal}: {error}");
    }
    // Percent signs are characters like others: whoever reads a URL decodes before.
    assert_eq!(Path::parse("a%2Fb").unwrap().keys().len(), 1);
    assert_eq!(Key::new(&"x".repeat(769)), Err(KeyError::TooLong(769)));
    assert!(Key::new(&"x".repeat(768)).is_ok());
    assert!(Path::parse(&"a/".repeat(32)).is_ok());
    assert_eq!(Path::parse(&"a/".repeat(33)), Err(PathError::TooDeep(33)));
    let long = format!("{}/", "x".repeat(760)).repeat(21);
    assert!(matches!(Path::parse(&long), Err(PathError::TooLong(_))));
}
