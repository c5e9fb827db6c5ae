//! `cases/webchannel/*.json`: steps of a session and what each brings about.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use firestore::api::webchannel::session::{Kind, Next, PATIENCE, Session};
use serde::Deserialize;
use serde_json::Value;
use wire::webchannel::Map;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "about")]
    _about: String,
    steps: Vec<Step>,
}

/// What happens at a time (milliseconds; the last step's if it names none), and what must come of it.
#[derive(Deserialize)]
struct Step {
    at: Option<u64>,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// A POST: maps, the last array received; the receipt.
    Post(Vec<(u64, String)>, u64, Expected),
    /// What the stream can take.
    Take(Vec<String>),
    /// Arrays that the stream sends.
    Push(Vec<Value>),
    /// A GET: the response's name, the last array received, how long to wait (`null`: streaming).
    Get(String, u64, Option<u64>, Expected),
    /// What a response does until it waits or ends.
    Next(String, Vec<Value>, Then),
    /// The same with what it may rest.
    Rest(String, u64, Vec<Value>, Then),
    /// A response is lost.
    Lost(String),
    /// The stream is over.
    Finish(Value),
    /// The client ends it.
    Terminate(()),
    /// When it ends by itself.
    Deadline(Option<u64>),
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Receipt(u8, u64, usize),
    Opened,
    Overtaken,
    Breach(String),
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Then {
    Waits(u64),
    Ends,
}

struct Run {
    session: Session,
    responses: HashMap<String, u64>,
    now: u64,
}

impl Run {
    fn step(&mut self, what: What) {
        let (session, now) = (&mut self.session, self.now);
        match what {
            What::Post(maps, received, expected) => {
                let maps = maps.into_iter().map(|(id, message)| Map { id, message }).collect();
                let found = match session.receive(maps, received) {
                    Ok(()) => {
                        let (open, sent, bytes) = serde_json::from_str(&session.receipt()).unwrap();
                        Expected::Receipt(open, sent, bytes)
                    }
                    Err(breach) => Expected::Breach(breach.to_string()),
                };
                assert_eq!(found, expected);
            }
            What::Take(expected) => {
                let taken: Vec<String> = std::iter::from_fn(|| session.take()).collect();
                assert_eq!(taken, expected);
            }
            What::Push(arrays) => arrays.iter().for_each(|array| session.push(array.to_string())),
            What::Get(name, received, wait_ms, expected) => {
                let kind = wait_ms.map_or(Kind::Streaming, Kind::Poll);
                let found = match session.open(received, kind, now) {
                    Ok(Some(id)) => {
                        self.responses.insert(name, id);
                        Expected::Opened
                    }
                    Ok(None) => Expected::Overtaken,
                    Err(breach) => Expected::Breach(breach.to_string()),
                };
                assert_eq!(found, expected);
            }
            What::Next(name, arrays, then) => self.next(&name, None, arrays, then),
            What::Rest(name, rest_ms, arrays, then) => self.next(&name, Some(rest_ms), arrays, then),
            What::Lost(name) => session.close(self.responses[&name], now),
            What::Finish(last) => session.finish(last.to_string(), now),
            What::Terminate(_) => session.terminate(),
            What::Deadline(expected) => assert_eq!(session.deadline_ms(), expected),
        }
    }
}

impl Run {
    fn next(&mut self, name: &str, rest_ms: Option<u64>, arrays: Vec<Value>, then: Then) {
        let id = self.responses[name];
        let mut written = Vec::new();
        let found = loop {
            match self.session.next(id, rest_ms, self.now) {
                Next::Write(text) => written.extend(unframed(&text)),
                Next::Wait(until) => break Then::Waits(until),
                Next::End => break Then::Ends,
            }
        };
        assert_eq!((written, found), (arrays, then));
    }
}

/// The arrays of one frame.
pub fn unframed(text: &str) -> Vec<Value> {
    let (length, json) = text.split_once('\n').unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), json.encode_utf16().count());
    serde_json::from_str(json).unwrap()
}

#[test]
fn sessions_go_as_the_cases_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/webchannel");
    let mut cases = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut run = Run { session: Session::new(PATIENCE), responses: HashMap::new(), now: 0 };
        for (index, step) in case.steps.into_iter().enumerate() {
            run.now = step.at.unwrap_or(run.now);
            eprintln!("{path:?}: step {index}");
            run.step(step.what);
        }
        cases += 1;
    }
    assert!(cases >= 12, "{cases} cases");
}
