//! Numbers from and to text, and `math.*`.
//!
//! The reference shows `string(2.0) == "2.0"`, and production's error texts print a latitude as `-100.0`: the
//! spelling of Java's `Double.toString`. So [`float_text`] follows it, and [`round`] rounds halves up as Java does.

/// `int("12")`: decimal digits with an optional sign that fit 64 bits, and nothing else.
pub fn int_from_text(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// `int(1.9)`: cut toward zero; `None` for what does not fit.
pub fn int_from_float(value: f64) -> Option<i64> {
    // -2^63 fits, 2^63 does not; both are exact as floats. NaN is in no range.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let whole = value.trunc();
    if (-LIMIT..LIMIT).contains(&whole) {
        #[expect(clippy::cast_possible_truncation, reason = "just checked to be whole and within range")]
        return Some(whole as i64);
    }
    None
}

/// `float("1.5")`: a decimal number with an optional sign, fraction and exponent. Names such as `NaN` and surrounding
/// spaces are refused: no source says that production takes them, and an error denies.
pub fn float_from_text(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

/// `float(2)`: the nearest float.
pub fn float_from_int(value: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "rounding to the nearest float is the meaning of the cast"
    )]
    return value as f64;
}

/// `string(2.0)`: the shortest digits that give the number back, always with a fraction; with an exponent below
/// 0.001 and from ten million on (`1.0E7`).
pub fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// `math.abs` of an integer; `None` for the one that has no positive twin.
pub fn abs(value: i64) -> Option<i64> {
    value.checked_abs()
}

/// `math.ceil`: an integer; `None` when it does not fit.
pub fn ceil(value: f64) -> Option<i64> {
    int_from_float(value.ceil())
}

/// `math.floor`: an integer; `None` when it does not fit.
pub fn floor(value: f64) -> Option<i64> {
    int_from_float(value.floor())
}

/// `math.round`: the nearest integer, halves up (`-1.5` to `-1`); `None` when it does not fit.
pub fn round(value: f64) -> Option<i64> {
    let below = value.floor();
    int_from_float(if value - below >= 0.5 { below + 1.0 } else { below })
}

/// `math.sqrt`: NaN for negative numbers.
pub fn sqrt(value: f64) -> f64 {
    value.sqrt()
}

/// `math.pow`: a float that may be infinite.
pub fn pow(base: f64, exponent: f64) -> f64 {
    base.powf(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_from_text() {
        assert_eq!(int_from_text("12"), Some(12));
        assert_eq!(int_from_text("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(int_from_text("+7"), Some(7));
        for text in ["", " 1", "1.0", "9223372036854775808", "0x10", "1e3", "-", "٣"] {
            assert_eq!(int_from_text(text), None, "{text}");
        }
    }

    #[test]
    fn integers_from_floats() {
        assert_eq!(int_from_float(1.9), Some(1));
        assert_eq!(int_from_float(-1.9), Some(-1));
        assert_eq!(int_from_float(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        for value in [f64::NAN, f64::INFINITY, 9_223_372_036_854_775_808.0, -1e19] {
            assert_eq!(int_from_float(value), None, "{value}");
        }
    }

    #[test]
    fn floats_from_text() {
        assert_eq!(float_from_text("1.5"), Some(1.5));
        assert_eq!(float_from_text("-.5e1"), Some(-5.0));
        assert_eq!(float_from_text("2"), Some(2.0));
        for text in ["", "NaN", "inf", "Infinity", " 1", "1f", "e", ".", "1e", "1.2.3"] {
            assert_eq!(float_from_text(text), None, "{text}");
        }
    }

    #[test]
    fn floats_to_text() {
        for (value, text) in [
            (2.0, "2.0"),
            (-100.0, "-100.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (0.000_99, "9.9E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (123_456_789.25, "1.2345678925E8"),
            (1e-300, "1.0E-300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            assert_eq!(float_text(value), text);
        }
    }

    #[test]
    fn math() {
        assert_eq!(abs(-3), Some(3));
        assert_eq!(abs(i64::MIN), None);
        assert_eq!((ceil(2.1), floor(-2.1), ceil(-0.5)), (Some(3), Some(-3), Some(0)));
        assert_eq!(
            (round(2.5), round(-1.5), round(-1.6), round(0.499_999_999_999_999_94)),
            (Some(3), Some(-1), Some(-2), Some(0))
        );
        assert_eq!((round(f64::NAN), floor(1e300)), (None, None));
        assert_eq!((sqrt(16.0), pow(2.0, 10.0)), (4.0, 1024.0));
        assert!(sqrt(-1.0).is_nan() && pow(10.0, 400.0).is_infinite());
    }
}
