//! The names of a result as a bloom filter: a client whose count differs finds out what it has too much.
//!
//! Source: the existence filter of `google.firestore.v1` and its clients: an entry is a document's full name; its MD5 digest is
//! two little-endian numbers `a` and `b`, and probe `i` sets the bit `(a + i·b mod 2⁶⁴) mod size`.

use bytes::Bytes;
use md5::{Digest, Md5};
use wire::v1;

/// Bits for each name: one name in ten thousand is mistaken for one that is there.
const BITS_PER_NAME: f64 = 19.17;
/// Bits more, so that the filter of one name or two mistakes no more.
const BITS_MORE: u64 = 20;
/// Probes for each name that go with [`BITS_PER_NAME`].
const PROBES: i32 = 13;

/// The filter of these names. Of none: one that holds nothing.
pub fn bloom_filter(names: &[String]) -> v1::BloomFilter {
    if names.is_empty() {
        return v1::BloomFilter::default();
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a result has far fewer than 2^52 documents"
    )]
    let bits = (names.len() as f64 * BITS_PER_NAME).ceil() as u64 + BITS_MORE;
    // Odd, so that steps do not share a factor with it; and never a multiple of eight: clients take a padding of zero for a
    // filter that was cut off.
    let bits = bits | 1;
    let bytes = bits.div_ceil(8);
    let mut bitmap = vec![0u8; usize::try_from(bytes).unwrap_or(usize::MAX)];
    for name in names {
        let (mut probe, step) = digest(name);
        for _ in 0..PROBES {
            let bit = probe % bits;
            if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| bitmap.get_mut(at)) {
                *byte |= 1 << (bit % 8);
            }
            probe = probe.wrapping_add(step);
        }
    }
    let padding = i32::try_from(bytes * 8 - bits).unwrap_or_default();
    let bits = Some(v1::BitSequence { bitmap: Bytes::from(bitmap), padding });
    v1::BloomFilter { bits, hash_count: PROBES }
}

fn digest(name: &str) -> (u64, u64) {
    let digest: [u8; 16] = Md5::digest(name.as_bytes()).into();
    let whole = u128::from_le_bytes(digest);
    // The halves of sixteen bytes, each little-endian.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    (whole as u64, (whole >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn might_contain(filter: &v1::BloomFilter, name: &str) -> bool {
        let Some(sequence) = &filter.bits else { return false };
        let bits = sequence.bitmap.len() as u64 * 8 - u64::try_from(sequence.padding).unwrap();
        let (a, b) = digest(name);
        (0..filter.hash_count as u64).all(|i| {
            let bit = a.wrapping_add(i.wrapping_mul(b)) % bits;
            sequence.bitmap[(bit / 8) as usize] >> (bit % 8) & 1 == 1
        })
    }

    fn names(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|n| format!("projects/p/databases/(default)/documents/c/{n}")).collect()
    }

    #[test]
    fn every_name_is_found_and_hardly_another() {
        for count in [1, 2, 8, 100, 5_000] {
            let filter = bloom_filter(&names(0..count));
            let padding = filter.bits.as_ref().unwrap().padding;
            assert!((1..8).contains(&padding), "{count}: {padding}");
            assert!(names(0..count).iter().all(|name| might_contain(&filter, name)));
            let mistaken =
                names(count..count + 20_000).iter().filter(|name| might_contain(&filter, name)).count();
            // Of so few bits, some other names have just the same probes.
            let most = if count < 8 { 100 } else { 20 };
            assert!(mistaken < most, "{count}: {mistaken} of 20000");
        }
        assert_eq!(bloom_filter(&[]), v1::BloomFilter::default());
    }

    /// The digest of the empty text, as RFC 1321 has it: d41d8cd98f00b204 e9800998ecf8427e.
    #[test]
    fn a_digest_is_two_little_endian_numbers() {
        assert_eq!(digest(""), (0x04b2_008f_d98c_1dd4, 0x7e42_f8ec_9809_80e9));
    }
}
