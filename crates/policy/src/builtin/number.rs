//! Numbers from and to text, and `math.*`.
//!
//! The reference shows `string(2.0) == "2.0"`, and production's error texts print a latitude as `-100.0`: the
//! spelling of Java's `Double.toString`. So [`float_text`] follows it, and [`round`] rounds halves up as Java does.

/// `int("12")`: decimal digits with an optional sign that fit 64 bits, and nothing else.
pub fn int_from_text(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// `int(1.9)`: cut toward zero. What does not fit is the nearest that does; NaN is 0.
pub fn int_from_float(value: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as the service does")]
    return value as i64;
}

/// `float("1.5")`: what the JVM reads as a double, hexadecimal aside: blanks around it, a sign, `NaN`, `Infinity`, a fraction,
/// an exponent, a suffix.
pub fn float_from_text(text: &str) -> Option<f64> {
    let text = text.trim_matches(|character: char| character <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        _ => {}
    }
    let number = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { number.parse().ok() } else { None }
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

/// `math.round`: the nearest integer, halves up (`-1.5` to `-1`). What does not fit is the nearest that does; NaN is 0.
pub fn round(value: f64) -> i64 {
    let below = value.floor();
    int_from_float(if value - below >= 0.5 { below + 1.0 } else { below })
}

/// `math.sqrt`: NaN for negative numbers.
pub fn sqrt(value: f64) -> f64 {
    value.sqrt()
}

/// `math.pow`: a float that may be infinite.
pub fn pow(base: f64, exponent: f64) -> f64 {
    // As on the JVM: one to no number, and one or minus one to the infinite, is no number.
    if exponent.is_nan() || exponent.is_infinite() && base.abs().to_bits() == 1.0_f64.to_bits() {
        return f64::NAN;
    }
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
        assert_eq!((int_from_float(1.9), int_from_float(-1.9)), (1, -1));
        assert_eq!((int_from_float(f64::NAN), int_from_float(f64::INFINITY)), (0, i64::MAX));
        assert_eq!(int_from_float(-1e19), i64::MIN);
    }

    #[test]
    fn floats_from_text() {
        assert_eq!(float_from_text("1.5"), Some(1.5));
        assert_eq!(float_from_text("-.5e1"), Some(-5.0));
        assert_eq!(float_from_text("2"), Some(2.0));
        assert_eq!(float_from_text(" 1.5 "), Some(1.5));
        assert_eq!(float_from_text("1f"), Some(1.0));
        assert_eq!(float_from_text("-Infinity"), Some(f64::NEG_INFINITY));
        assert!(float_from_text("NaN").is_some_and(f64::is_nan));
        for text in ["", "inf", "e", ".", "1e", "1.2.3", "1_0"] {
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
        assert_eq!((round(2.5), round(-1.5), round(-1.6), round(0.499_999_999_999_999_94)), (3, -1, -2, 0));
        assert_eq!((round(f64::NAN), round(1e300)), (0, i64::MAX));
        assert_eq!((sqrt(16.0), pow(2.0, 10.0)), (4.0, 1024.0));
        assert!(sqrt(-1.0).is_nan() && pow(10.0, 400.0).is_infinite());
    }
}
