//! Numbers from and to each other and text, with CEL's ranges.

/// Cut toward zero; `None` for what does not fit. The two ends are refused although the lower one would fit, as the
/// specification's cases want.
pub fn double_to_int(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "just checked to be within range")]
    (value > -LIMIT && value < LIMIT).then_some(value as i64)
}

/// Cut toward zero; `None` for what does not fit.
pub fn double_to_uint(value: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "just checked to be within range"
    )]
    (0.0..18_446_744_073_709_551_616.0).contains(&value).then_some(value as u64)
}

/// The nearest double.
pub fn int_to_double(value: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest is the meaning of the cast")]
    return value as f64;
}

/// The nearest double.
pub fn uint_to_double(value: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest is the meaning of the cast")]
    return value as f64;
}

/// `double('1.5')`; also `NaN` and the infinities.
pub fn double_from_text(text: &str) -> Option<f64> {
    match text {
        "NaN" => return Some(f64::NAN),
        "Infinity" | "+Infinity" | "Inf" | "+Inf" | "inf" | "+inf" => return Some(f64::INFINITY),
        "-Infinity" | "-Inf" | "-inf" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

/// The shortest text that gives the number back: `1`, `1.5`, `1e+21`.
pub fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 || (1e-4..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    scientific(&format!("{value:e}"))
}

/// `1.5e7` with a sign and two digits at least in the exponent: `1.5e+07`.
pub fn scientific(text: &str) -> String {
    let Some((digits, exponent)) = text.split_once('e') else { return text.to_owned() };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    format!("{digits}e{sign}{exponent:0>2}")
}
