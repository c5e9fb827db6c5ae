//! No query and no form of a WebChannel request makes reading panic; whatever forms arrive in whatever order, a session
//! gives its stream each message once and its client each array once, both in order, and a frame's length is its text's.

#![no_main]

use firestore::api::webchannel::session::{Kind, Next, PATIENCE, Session};
use libfuzzer_sys::fuzz_target;
use wire::json;
use wire::webchannel::{Form, Map, Parameters};

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    if first < 64 {
        return read(rest);
    }
    let mut run = Run { session: Session::new(PATIENCE), now: 0, taken: 0, pushed: 0, response: None, last: 0, seen: 0 };
    rest.chunks_exact(3).for_each(|step| run.step(step[0], step[1], step[2]));
});

/// A query, a line break, a body.
fn read(data: &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (query, body) = data.split_at(end);
    if let Ok(query) = std::str::from_utf8(query) {
        let read = [true, false].map(|is_get| Parameters::read(query, is_get));
        assert!(read.iter().flatten().all(|read| read.session.len() <= 256));
    }
    let Ok(form) = Form::read(body.get(1..).unwrap_or_default()) else { return };
    let mut ids: Vec<u64> = form.maps.iter().map(|map| map.id).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    for map in &form.maps {
        let _listen = json::read::<wire::v1::ListenRequest>(map.message.as_bytes());
        let _write = json::read::<wire::v1::WriteRequest>(map.message.as_bytes());
    }
    let mut session = Session::new(PATIENCE);
    if session.receive(form.maps, 0).is_ok() {
        while session.take().is_some() {}
    }
}

struct Run {
    session: Session,
    now: u64,
    taken: u64,
    pushed: u64,
    response: Option<u64>,
    /// What the client has.
    last: u64,
    seen: u64,
}

impl Run {
    fn step(&mut self, what: u8, a: u8, b: u8) {
        match what % 6 {
            0 => {
                let maps = (0..u64::from(b % 5)).map(|n| u64::from(a) + n);
                let maps = maps.map(|id| Map { id, message: id.to_string() }).collect();
                let received = if b > 250 { u64::from(a) } else { self.last };
                let _breach = self.session.receive(maps, received);
            }
            1 => {
                while let Some(message) = self.session.take() {
                    assert_eq!(message, self.taken.to_string());
                    self.taken += 1;
                }
            }
            2 => {
                self.session.push(format!("[{}]", self.pushed));
                self.pushed += 1;
            }
            3 => {
                let kind = if a < 128 { Kind::Streaming } else { Kind::Poll(u64::from(b) * 1000) };
                self.response = self.session.open(self.last, kind, self.now).unwrap();
            }
            4 => {
                self.now += u64::from(a) * 256 + u64::from(b);
                self.write();
            }
            _ => {
                if let Some(id) = self.response.take() {
                    self.session.close(id, self.now);
                }
            }
        }
    }

    fn write(&mut self) {
        let Some(id) = self.response else { return };
        match self.session.next(id, None, self.now) {
            Next::Write(text) => {
                let (length, json) = text.split_once('\n').unwrap();
                assert_eq!(length, json.encode_utf16().count().to_string());
                for (at, json) in json[1..json.len() - 1].split("],[").enumerate() {
                    self.last += 1;
                    let array = json.trim_start_matches('[').trim_end_matches(']');
                    let (id, message) = array.split_once(',').unwrap();
                    assert_eq!(id, self.last.to_string(), "{at}");
                    if !message.contains("noop") {
                        assert_eq!(message.trim_start_matches('['), self.seen.to_string());
                        self.seen += 1;
                    }
                }
            }
            Next::Wait(until) => assert!(until > self.now),
            Next::End => self.response = None,
        }
    }
}
