//! Recorded faults, word for word.

use base::{Code, Status};
use wire::json::{self, ECHO_BYTES_MAX, FAULTS_MAX};
use wire::v1::{Document, Value};

use crate::forms::Form;

#[test]
fn a_client_is_told_each_fault_and_its_place() {
    let mut cases = 0;
    for case in include_str!("faults.txt").split("\n= ").skip(1) {
        let (title, lines) = case.split_once('\n').unwrap();
        let form = Form::named(title.split(' ').next().unwrap());
        let lines: Vec<_> = lines.lines().collect();
        let text = lines.iter().find_map(|line| line.strip_prefix("in")).unwrap();
        let expected = lines.iter().filter_map(|line| line.strip_prefix("err"));
        let expected: Vec<_> = expected.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        let found = (form.read)(text.strip_prefix("  ").unwrap_or(text).as_bytes());
        assert_eq!(found, Err(expected.join("\n")), "{title}");
        cases += 1;
    }
    assert!(cases >= 47, "{cases} cases");
}

#[test]
fn a_fault_is_an_invalid_argument() {
    let status = Status::from(json::read::<Document>(b"[").unwrap_err());
    assert_eq!(status.code, Code::InvalidArgument);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let error = json::read::<Document>(b"{\"name\":\"\xff\"}").unwrap_err();
    assert_eq!(error.to_string(), "Invalid JSON payload received. Encountered non UTF-8 code points.");
}

#[test]
fn neither_the_number_of_faults_nor_what_they_repeat_is_without_limit() {
    let many: Vec<_> = (0..1000).map(|index| format!("\"x{index}\":1")).collect();
    let error = json::read::<Document>(format!("{{{}}}", many.join(",")).as_bytes()).unwrap_err();
    assert_eq!(error.to_string().lines().count(), FAULTS_MAX);

    let long = "é".repeat(ECHO_BYTES_MAX * 4);
    for text in [format!("{{\"{long}\":1}}"), format!("{{\"integerValue\":\"{long}\"}}")] {
        let error = json::read::<Value>(text.as_bytes()).unwrap_err();
        assert!(error.to_string().len() < ECHO_BYTES_MAX + 200, "{}", error.to_string().len());
    }
}
