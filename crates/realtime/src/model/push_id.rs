//! Push ids: keys that are ordered by the time they were made.
//!
//! Source: the JS SDK's `nextPushId`: 8 characters of milliseconds, 12 random ones; within a millisecond the random part
//! of the last id plus one.

use smol_str::SmolStr;

/// In the order of ASCII.
const ALPHABET: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// Random characters of an id, each below 64.
const RANDOM: usize = 12;

/// Makes push ids. Each is greater than the one before, also when the clock goes back.
#[derive(Debug, Default)]
pub struct PushIds {
    last_ms: u64,
    random: [u8; RANDOM],
}

impl PushIds {
    /// The next id. `now_ms`: milliseconds since 1970.
    pub fn next(&mut self, now_ms: i64, random: impl FnOnce() -> [u8; RANDOM]) -> SmolStr {
        let now_ms = u64::try_from(now_ms).unwrap_or(0);
        if now_ms > self.last_ms || !self.increment() {
            // Where the random part has overflowed, the next millisecond begins early.
            self.last_ms = now_ms.max(self.last_ms + 1);
            self.random = random().map(|byte| byte & 0x3f);
        }
        let time = (0..8).rev().map(|place| self.last_ms >> (6 * place) & 0x3f);
        let random = self.random.iter().map(|character| u64::from(*character));
        time.chain(random).map(character).collect()
    }

    /// Adds one to the random part. `false`: it was the last one.
    fn increment(&mut self) -> bool {
        for character in self.random.iter_mut().rev() {
            if *character < 63 {
                *character += 1;
                return true;
            }
            *character = 0;
        }
        false
    }
}

fn character(value: u64) -> char {
    usize::try_from(value).ok().and_then(|value| ALPHABET.get(value)).map_or('-', |byte| char::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_within_a_millisecond_after_an_overflow_and_when_the_clock_goes_back() {
        let mut ids = PushIds::default();
        let mut made = vec![ids.next(1_700_000_000_000, || [62; 12])];
        for now in [1_700_000_000_000, 1_700_000_000_000, 1_600_000_000_000, 1_700_000_000_001] {
            made.push(ids.next(now, || [0; 12]));
        }
        ids.random = [63; 12];
        made.push(ids.next(1_700_000_000_001, || [5; 12]));
        assert!(made.is_sorted_by(|left, right| left < right), "{made:?}");
        assert!(made.iter().all(|id| id.len() == 20));
        // As the JS SDK has it for this time.
        assert_eq!(made[0], "-NjEtLV-yyyyyyyyyyyy");
    }
}
