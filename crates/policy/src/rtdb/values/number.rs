//! Numbers as text.

use crate::value::Str;

/// A number as JavaScript writes it.
pub fn number_text(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let size = number.abs();
    if size.is_nan() || (1e-6..1e21).contains(&size) {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

/// A number as text, where the number is small and whole with one allocation only: ids often are.
pub fn number_str<'v>(number: f64) -> Str<'v> {
    const DIGITS_MAX: usize = 9;
    if number.fract() != 0.0 || !(0.0..1e9).contains(&number) {
        return Str::from(number_text(number));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and in the range")]
    let mut rest = number as u32;
    let mut digits = [b'0'; DIGITS_MAX];
    let mut len = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        len += 1;
        if rest == 0 {
            break;
        }
    }
    let text = digits.get(DIGITS_MAX - len..).and_then(|digits| std::str::from_utf8(digits).ok());
    Str::Shared(text.unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_does() {
        for (number, text) in [
            (3.0, "3"),
            (-0.0, "0"),
            (1.5, "1.5"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1.5e-7, "1.5e-7"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number_text(number), text);
            assert_eq!(number_str(number).as_str(), text);
        }
        for number in [0.0, 7.0, 10.0, 123_456_789.0, 999_999_999.0, 1e9, -7.0, f64::INFINITY] {
            assert_eq!(number_str(number).as_str(), number_text(number));
        }
    }
}
