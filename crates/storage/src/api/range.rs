//! `Range` and `Content-Range`.

/// Bytes of an object, from one on and before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: u64,
    pub to: u64,
}

/// What a `Range` header means for an object of this size: `Ok(None)` is all of it. Several ranges are all of it, too, as
/// RFC 9110 allows: answers in parts could be larger than the object many times.
///
/// Errors: there are no such bytes.
pub fn requested(header: &str, size: u64) -> Result<Option<Span>, ()> {
    let Some(range) = header.trim().strip_prefix("bytes=") else { return Ok(None) };
    let Some((from, to)) = range.split_once('-') else { return Ok(None) };
    if range.contains(',') || size == 0 {
        return Ok(None);
    }
    let number = |text: &str| text.trim().parse::<u64>();
    match (number(from), number(to)) {
        (Ok(from), to) if to.is_ok() || range.trim_end().ends_with('-') => {
            let to = to.unwrap_or(u64::MAX);
            if to < from {
                return Ok(None);
            }
            if from >= size { Err(()) } else { Ok(Some(Span { from, to: to.saturating_add(1).min(size) })) }
        }
        (Err(_), Ok(last)) if from.trim().is_empty() => {
            if last == 0 {
                Err(())
            } else {
                Ok(Some(Span { from: size.saturating_sub(last), to: size }))
            }
        }
        _ => Ok(None),
    }
}

/// A `Content-Range` of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// Where its bytes belong; `None`: it has none.
    pub from: Option<u64>,
    /// Whether they are all that is left of the object, however many: `bytes 0-*/*`.
    pub is_open: bool,
    /// How many bytes the object has, if that is said.
    pub total: Option<u64>,
}

/// Reads `bytes 0-99/200`, `bytes 0-99/*`, `bytes 0-*/*`, `bytes */200`, `bytes */*`.
pub fn content_range(header: &str) -> Option<ContentRange> {
    let (range, total) = header.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    if range == "*" {
        return Some(ContentRange { from: None, is_open: false, total });
    }
    let (from, to) = range.split_once('-')?;
    let from: u64 = from.parse().ok()?;
    if to == "*" {
        return Some(ContentRange { from: Some(from), is_open: true, total });
    }
    let to: u64 = to.parse().ok()?;
    (to >= from).then_some(ContentRange { from: Some(from), is_open: false, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_what_rfc_9110_says() {
        let span = |from, to| Ok(Some(Span { from, to }));
        for (header, size, expected) in [
            ("bytes=0-9", 100, span(0, 10)),
            ("bytes=90-", 100, span(90, 100)),
            ("bytes=-10", 100, span(90, 100)),
            ("bytes=-1000", 100, span(0, 100)),
            ("bytes=5-1000", 100, span(5, 100)),
            ("bytes=0-18446744073709551615", 100, span(0, 100)),
            ("bytes=100-", 100, Err(())),
            ("bytes=-0", 100, Err(())),
            ("bytes=0-9", 0, Ok(None)),
            ("bytes=9-0", 100, Ok(None)),
            ("bytes=0-1,3-4", 100, Ok(None)),
            ("bytes=x-9", 100, Ok(None)),
            ("bytes=1-x", 100, Ok(None)),
            ("lines=0-9", 100, Ok(None)),
            ("bytes=99999999999999999999-", 100, Ok(None)),
        ] {
            assert_eq!(requested(header, size), expected, "{header}");
        }
    }

    #[test]
    fn content_ranges() {
        let of = |from, total| Some(ContentRange { from, is_open: false, total });
        for (header, expected) in [
            ("bytes 0-99/200", of(Some(0), Some(200))),
            ("bytes 0-99/*", of(Some(0), None)),
            ("bytes 5-*/*", Some(ContentRange { from: Some(5), is_open: true, total: None })),
            ("bytes 5-*/9", Some(ContentRange { from: Some(5), is_open: true, total: Some(9) })),
            ("bytes */200", of(None, Some(200))),
            ("bytes */*", of(None, None)),
            ("bytes 9-1/200", None),
            ("bytes 0-99", None),
            ("0-99/200", None),
        ] {
            assert_eq!(content_range(header), expected, "{header}");
        }
    }
}
