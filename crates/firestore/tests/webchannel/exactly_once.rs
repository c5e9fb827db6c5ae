//! Whatever the network does to requests and responses (loss, repetition, overtaking, reconnects), each message arrives
//! once and in order, both ways.

use firestore::api::webchannel::session::{Kind, Next, PATIENCE, Session};
use proptest::collection::vec;
use proptest::prelude::*;
use wire::webchannel::Map;

use crate::steps::unframed;

/// What happens next. Indices are taken modulo what there is.
#[derive(Clone, Debug)]
enum Event {
    /// The client sends so many messages in one POST.
    Send(usize),
    /// A POST arrives; a copy of it may arrive again.
    Arrive {
        index: usize,
        again: bool,
    },
    /// The stream takes a message.
    Take,
    /// The stream sends so many messages.
    Push(usize),
    /// The client opens a response.
    Get {
        is_polled: bool,
    },
    /// A GET arrives.
    GetArrives(usize),
    /// The server writes to a response, and the client reads it if it is its latest.
    Write {
        of_older: usize,
    },
    /// The client's response is cut: what the server wrote is lost.
    Cut,
    /// The connection is lost without a word, after the server has written once more.
    LoseWritten,
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..4_usize).prop_map(Event::Send),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(index, again)| Event::Arrive { index, again }),
        3 => Just(Event::Take),
        4 => (1..4_usize).prop_map(Event::Push),
        3 => any::<bool>().prop_map(|is_polled| Event::Get { is_polled }),
        4 => any::<usize>().prop_map(Event::GetArrives),
        6 => (0..3_usize).prop_map(|of_older| Event::Write { of_older }),
        1 => Just(Event::Cut),
        1 => Just(Event::LoseWritten),
        1 => (0..40_000_u64).prop_map(Event::Wait),
    ]
}

struct World {
    session: Session,
    now: u64,
    /// Of the client: how many messages it made, its POSTs under way, its latest GET, what it has.
    made: u64,
    posts: Vec<(Vec<Map>, u64)>,
    gets: Vec<(u64, u64, Kind)>,
    latest_get: u64,
    last: u64,
    received: Vec<String>,
    /// Of the server: the messages taken, how many were pushed, its responses (of which GET, its id).
    taken: Vec<String>,
    pushed: u64,
    responses: Vec<(u64, u64)>,
}

impl World {
    fn new() -> Self {
        Self {
            session: Session::new(PATIENCE),
            now: 0,
            made: 0,
            posts: Vec::new(),
            gets: Vec::new(),
            latest_get: 0,
            last: 0,
            received: Vec::new(),
            taken: Vec::new(),
            pushed: 0,
            responses: Vec::new(),
        }
    }

    fn go(&mut self, event: &Event) {
        match event {
            Event::Send(count) => {
                let maps = (0..*count as u64).map(|n| self.made + n);
                let maps = maps.map(|id| Map { id, message: format!("m{id}") }).collect();
                self.made += *count as u64;
                self.posts.push((maps, self.last));
            }
            Event::Arrive { index, again } if !self.posts.is_empty() => {
                let index = index % self.posts.len();
                let (maps, received) =
                    if *again { self.posts[index].clone() } else { self.posts.swap_remove(index) };
                self.session.receive(maps, received).unwrap();
            }
            Event::Take => self.taken.extend(self.session.take()),
            Event::Push(count) => {
                for _ in 0..*count {
                    self.session.push(format!("[\"p{}\"]", self.pushed));
                    self.pushed += 1;
                }
            }
            Event::Get { is_polled } => {
                self.latest_get += 1;
                let kind = if *is_polled { Kind::Poll(5_000) } else { Kind::Streaming };
                self.gets.push((self.latest_get, self.last, kind));
            }
            Event::GetArrives(index) if !self.gets.is_empty() => {
                let (get, received, kind) = self.gets.swap_remove(index % self.gets.len());
                if let Some(id) = self.session.open(received, kind, self.now).unwrap() {
                    self.responses.push((get, id));
                }
            }
            Event::Write { of_older } => {
                let at = self.responses.len().saturating_sub(1 + of_older);
                if let Some((get, id)) = self.responses.get(at).copied() {
                    self.write(get, id, true);
                }
            }
            Event::LoseWritten => {
                if let Some((get, id)) = self.responses.last().copied() {
                    self.write(get, id, false);
                    self.latest_get += 1;
                }
            }
            Event::Cut => {
                if let Some((_, id)) = self.responses.pop() {
                    self.session.close(id, self.now);
                    self.latest_get += 1;
                }
            }
            Event::Wait(ms) => self.now += ms,
            Event::Arrive { .. } | Event::GetArrives(_) => {}
        }
    }

    fn write(&mut self, get: u64, id: u64, arrives: bool) -> bool {
        let Next::Write(text) = self.session.next(id, None, self.now) else { return false };
        // The client reads its latest response only.
        if arrives && get == self.latest_get {
            for array in unframed(&text) {
                // It relies on the server to repeat nothing that it has.
                assert_eq!(array[0], self.last + 1);
                self.last += 1;
                let message = array[1][0].as_str().unwrap();
                if message != "noop" {
                    self.received.push(message.to_owned());
                }
            }
        }
        true
    }

    /// The network heals: everything arrives.
    fn settle(&mut self) {
        while !self.posts.is_empty() {
            self.go(&Event::Arrive { index: 0, again: false });
        }
        while let Some(message) = self.session.take() {
            self.taken.push(message);
        }
        self.latest_get += 1;
        let id = self.session.open(self.last, Kind::Streaming, self.now).unwrap().unwrap();
        while self.write(self.latest_get, id, true) {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_message_arrives_once_and_in_order(events in vec(event(), 0..150)) {
        let mut world = World::new();
        events.iter().for_each(|event| world.go(event));
        world.settle();
        let expected = |letter: char, count: u64| (0..count).map(|n| format!("{letter}{n}")).collect::<Vec<_>>();
        prop_assert_eq!(&world.taken, &expected('m', world.made));
        prop_assert_eq!(&world.received, &expected('p', world.pushed));
        // Acknowledged, nothing is left.
        world.session.receive(Vec::new(), world.last).unwrap();
        prop_assert_eq!(world.session.bytes(), 0);
    }
}
