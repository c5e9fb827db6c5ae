//! Recorded pairs of JSON and binary.

use wire::json::JsonOptions;

use crate::forms::Form;

#[test]
fn texts_read_as_the_recorded_message_and_it_is_written_as_the_first_of_them() {
    let mut cases = 0;
    for case in include_str!("goldens.txt").split("\n= ").skip(1) {
        let (title, lines) = case.split_once('\n').unwrap();
        let form = Form::named(title.split(' ').next().unwrap());
        let texts: Vec<_> = lines.lines().filter_map(|line| line.strip_prefix("in  ")).collect();
        let bytes = lines.lines().find_map(|line| line.strip_prefix("bin")).expect(title).trim();
        let bytes = (form.recode)(&hex::decode(bytes).unwrap());
        for text in &texts {
            assert_eq!((form.read)(text.as_bytes()), Ok(bytes.clone()), "{title}: {text}");
        }
        assert_eq!((form.write)(&bytes, JsonOptions::default()), texts[0], "{title}");
        cases += 1;
    }
    assert!(cases >= 50, "{cases} cases");
}

#[test]
fn enums_may_be_written_as_numbers_and_null_stays_null() {
    let options = JsonOptions { enum_numbers: true, ..JsonOptions::default() };
    let text = r#"{"targetChange":{"targetChangeType":3}}"#;
    let form = Form::named("ListenResponse");
    assert_eq!((form.write)(&(form.read)(text.as_bytes()).unwrap(), options), text);
    let form = Form::named("Value");
    assert_eq!((form.write)(&(form.read)(br#"{"nullValue":0}"#).unwrap(), options), r#"{"nullValue":null}"#);
}

#[test]
fn an_enum_number_without_a_name_is_kept() {
    let form = Form::named("ListenResponse");
    let text = r#"{"targetChange":{"targetChangeType":77}}"#;
    assert_eq!((form.write)(&(form.read)(text.as_bytes()).unwrap(), JsonOptions::default()), text);
}

#[test]
fn text_outside_ascii_may_be_escaped_in_utf16_units() {
    let options = JsonOptions { ascii: true, ..JsonOptions::default() };
    let form = Form::named("Document");
    let bytes = (form.read)(r#"{"fields":{"é":{"stringValue":"漢😀\n\"a"}}}"#.as_bytes()).unwrap();
    let text = (form.write)(&bytes, options);
    assert_eq!(text, r#"{"fields":{"\u00e9":{"stringValue":"\u6f22\ud83d\ude00\n\"a"}}}"#);
    assert_eq!((form.read)(text.as_bytes()).unwrap(), bytes);
}
