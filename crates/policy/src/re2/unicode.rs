//! What `\p{…}` names: Unicode general categories and scripts, by RE2's exact names.
//!
//! RE2 knows only the short names of categories and the long names of scripts, each in one spelling; the looser
//! spellings of other engines are errors. The characters themselves come from `regex-syntax`, whose tables are one
//! Unicode version ahead of RE2's (16 against 15): a character assigned in between is in its group here already.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::class::{GroupName, Named, Set};

/// Every character.
const ANY: &str = "Any";

/// General categories. `C` is without the unassigned and, as text has none, the surrogates.
#[rustfmt::skip]
const CATEGORIES: &[&str] = &[
    "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No",
    "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
];

/// Scripts of Unicode 15.
#[rustfmt::skip]
const SCRIPTS: &[&str] = &[
    "Adlam", "Ahom", "Anatolian_Hieroglyphs", "Arabic", "Armenian", "Avestan", "Balinese", "Bamum",
    "Bassa_Vah", "Batak", "Bengali", "Bhaiksuki", "Bopomofo", "Brahmi", "Braille", "Buginese", "Buhid",
    "Canadian_Aboriginal", "Carian", "Caucasian_Albanian", "Chakma", "Cham", "Cherokee", "Chorasmian",
    "Common", "Coptic", "Cuneiform", "Cypriot", "Cypro_Minoan", "Cyrillic", "Deseret", "Devanagari",
    "Dives_Akuru", "Dogra", "Duployan", "Egyptian_Hieroglyphs", "Elbasan", "Elymaic", "Ethiopic",
    "Georgian", "Glagolitic", "Gothic", "Grantha", "Greek", "Gujarati", "Gunjala_Gondi", "Gurmukhi", "Han",
    "Hangul", "Hanifi_Rohingya", "Hanunoo", "Hatran", "Hebrew", "Hiragana", "Imperial_Aramaic", "Inherited",
    "Inscriptional_Pahlavi", "Inscriptional_Parthian", "Javanese", "Kaithi", "Kannada", "Katakana", "Kawi",
    "Kayah_Li", "Kharoshthi", "Khitan_Small_Script", "Khmer", "Khojki", "Khudawadi", "Lao", "Latin",
    "Lepcha", "Limbu", "Linear_A", "Linear_B", "Lisu", "Lycian", "Lydian", "Mahajani", "Makasar",
    "Malayalam", "Mandaic", "Manichaean", "Marchen", "Masaram_Gondi", "Medefaidrin", "Meetei_Mayek",
    "Mende_Kikakui", "Meroitic_Cursive", "Meroitic_Hieroglyphs", "Miao", "Modi", "Mongolian", "Mro",
    "Multani", "Myanmar", "Nabataean", "Nag_Mundari", "Nandinagari", "New_Tai_Lue", "Newa", "Nko", "Nushu",
    "Nyiakeng_Puachue_Hmong", "Ogham", "Ol_Chiki", "Old_Hungarian", "Old_Italic", "Old_North_Arabian",
    "Old_Permic", "Old_Persian", "Old_Sogdian", "Old_South_Arabian", "Old_Turkic", "Old_Uyghur", "Oriya",
    "Osage", "Osmanya", "Pahawh_Hmong", "Palmyrene", "Pau_Cin_Hau", "Phags_Pa", "Phoenician",
    "Psalter_Pahlavi", "Rejang", "Runic", "Samaritan", "Saurashtra", "Sharada", "Shavian", "Siddham",
    "SignWriting", "Sinhala", "Sogdian", "Sora_Sompeng", "Soyombo", "Sundanese", "Syloti_Nagri", "Syriac",
    "Tagalog", "Tagbanwa", "Tai_Le", "Tai_Tham", "Tai_Viet", "Takri", "Tamil", "Tangsa", "Tangut", "Telugu",
    "Thaana", "Thai", "Tibetan", "Tifinagh", "Tirhuta", "Toto", "Ugaritic", "Vai", "Vithkuqi", "Wancho",
    "Warang_Citi", "Yezidi", "Yi", "Zanabazar_Square",
];

/// A name RE2 knows behind `\p`, in the tables' own spelling.
pub(super) fn find(name: &str) -> Option<&'static str> {
    std::iter::once(&ANY).chain(CATEGORIES).chain(SCRIPTS).find(|known| **known == name).copied()
}

/// Whether a capture's name may have this character: letters, marks, decimal digits and connectors.
pub(super) fn is_name_char(c: char) -> bool {
    static ALLOWED: LazyLock<ClassUnicode> = LazyLock::new(|| {
        let mut set = Set::default();
        for category in ["L", "Nl", "Mn", "Mc", "Nd", "Pc"] {
            set.add_class(&lookup(category));
        }
        set.into_class()
    });
    c.is_ascii_alphanumeric()
        || ALLOWED
            .ranges()
            .binary_search_by(|range| {
                if range.end() < c {
                    std::cmp::Ordering::Less
                } else if range.start() > c {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .is_ok()
}

/// The groups one pattern has named, each looked up once.
#[derive(Default)]
pub(super) struct Groups(HashMap<(Named, bool), ClassUnicode>);

impl Groups {
    /// The characters of a group; with `fold`, their other cases too. A negated group is the opposite of the
    /// folded one, so that `(?i)\P{Lu}` has no letter that has a capital.
    pub(super) fn get(&mut self, named: Named, fold: bool) -> &ClassUnicode {
        self.0.entry((named, fold)).or_insert_with(|| {
            let mut set = Set::default();
            match named.name {
                GroupName::Ascii(ranges) => {
                    for (first, last) in ranges {
                        set.add(char::from(*first), char::from(*last));
                    }
                }
                GroupName::Unicode(name) => set.add_class(&lookup(name)),
            }
            if fold {
                set.fold();
            }
            if named.negated {
                set.negate();
            }
            set.into_class()
        })
    }
}

/// The characters of a known name.
fn lookup(name: &str) -> ClassUnicode {
    let query = match name {
        ANY => r"[\x{0}-\x{10FFFF}]".to_owned(),
        "C" => r"[\p{gc=Cc}\p{gc=Cf}\p{gc=Co}]".to_owned(),
        // No text has a surrogate.
        "Cs" => return ClassUnicode::empty(),
        _ if CATEGORIES.contains(&name) => format!(r"\p{{gc={name}}}"),
        _ => format!(r"\p{{sc={name}}}"),
    };
    match regex_syntax::parse(&query).map(regex_syntax::hir::Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => class,
        // A class of a single character becomes a literal: U+2028 for `Zl`, U+2029 for `Zp`.
        Ok(HirKind::Literal(literal)) => {
            let chars = String::from_utf8_lossy(&literal.0);
            ClassUnicode::new(chars.chars().map(|c| ClassUnicodeRange::new(c, c)))
        }
        _ => ClassUnicode::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_characters() {
        for name in CATEGORIES.iter().chain(SCRIPTS).chain([&ANY]) {
            assert_eq!(lookup(name).ranges().is_empty(), *name == "Cs", "{name}");
        }
    }
}
