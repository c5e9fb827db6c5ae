//! Seeded schedules: whatever is written, listened to and read in whatever order, a client's last snapshot is what a query
//! finds. What a client has is checked at every snapshot by its grammar (see [`Client`]).

use std::collections::BTreeMap;

use futures_util::StreamExt;
use wire::v1;

use crate::client::{Client, query};
use crate::house::{House, ROOT, admin, house, message};
use crate::{OPEN, delete, first_by_n, n_is, set};

/// Small numbers from a seed: a linear congruence, the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// The queries that are listened to, by target.
fn queries() -> Vec<(i32, String)> {
    let descending = r#", "orderBy": [{"field": {"fieldPath": "n"}, "direction": "DESCENDING"}], "limit": 4"#;
    let above = r#", "where": {"fieldFilter": {"field": {"fieldPath": "n"}, "op": "GREATER_THAN", "value": {"integerValue": "2"}}}"#;
    let offset = r#", "orderBy": [{"field": {"fieldPath": "n"}}], "offset": 2, "limit": 3"#;
    [String::new(), n_is(1), first_by_n(3), descending.into(), above.into(), offset.into()]
        .into_iter()
        .zip(1..)
        .map(|(more, id)| (id, query(id, "c", &more)))
        .collect()
}

/// What a target's query finds now.
async fn fresh(house: &House, target: &str) -> BTreeMap<String, v1::Document> {
    let target: v1::Target = message(target);
    let Some(v1::target::TargetType::Query(query)) = target.target_type else { panic!() };
    let Some(v1::target::query_target::QueryType::StructuredQuery(query)) = query.query_type else {
        panic!()
    };
    let request = v1::RunQueryRequest {
        parent: ROOT.to_owned(),
        query_type: Some(v1::run_query_request::QueryType::StructuredQuery(query)),
        ..Default::default()
    };
    let responses: Vec<_> = house.firestore.run_query(&admin(), request).await.unwrap().collect().await;
    let documents = responses.into_iter().filter_map(|response| response.unwrap().document);
    documents.map(|document| (document.name.clone(), document)).collect()
}

async fn agrees(house: &House, client: &mut Client, seed: u64) {
    for (id, target) in
        queries().into_iter().filter(|(id, _)| client.targets.contains_key(id)).collect::<Vec<_>>()
    {
        let expected = fresh(house, &target).await;
        let what = format!("seed {seed}, target {id}");
        client.until(&what, |client| client.targets[&id].documents == expected).await;
    }
    while !client.is_quiet().await {}
    for (id, target) in queries() {
        if let Some(seen) = client.targets.get(&id) {
            assert_eq!(seen.documents, fresh(house, &target).await, "seed {seed}, target {id}");
        }
    }
}

async fn schedule(seed: u64, steps: usize) {
    let house = house(OPEN).await;
    let mut dice = Dice(seed);
    let mut client = Client::open(&house, &admin());
    let mut open: Vec<i32> = Vec::new();
    for _ in 0..steps {
        match dice.roll(10) {
            // A commit of some writes.
            0..6 => {
                let writes: Vec<_> = (0..=dice.roll(3))
                    .map(|_| {
                        let path = format!("c/d{:02}", dice.roll(14));
                        if dice.roll(4) == 0 { delete(&path) } else { set(&path, dice.roll(6) as i64) }
                    })
                    .collect();
                house.commit(&admin(), &format!("[{}]", writes.join(", "))).await.unwrap();
            }
            6 => {
                let (id, target) = queries().swap_remove(dice.roll(queries().len() as u64) as usize);
                if !open.contains(&id) {
                    client.targets.remove(&id);
                    client.add(&target);
                    open.push(id);
                }
            }
            7 if open.len() > 2 => {
                let id = open.swap_remove(dice.roll(open.len() as u64) as usize);
                client.remove(id);
                client.until("the end of a target", |client| client.targets[&id].pending == 0).await;
                client.targets.remove(&id);
            }
            8 => {
                // The connection breaks, and another goes on.
                if client.snapshots > 0 && open.iter().all(|id| client.targets[id].is_current) {
                    client = reconnect(&house, client, &open);
                }
            }
            _ => {
                for _ in 0..dice.roll(8) {
                    let _ = tokio::time::timeout(std::time::Duration::from_millis(1), client.next()).await;
                }
            }
        }
    }
    agrees(&house, &mut client, seed).await;
}

/// Another stream with what the last one's newest snapshot had. What came after it is forgotten, as clients do.
fn reconnect(house: &House, before: Client, open: &[i32]) -> Client {
    let mut client = Client::open(house, &admin());
    for (id, target) in queries().into_iter().filter(|(id, _)| open.contains(id)) {
        let mut resumed: v1::Target = message(&target);
        // One that was in no snapshot yet begins anew.
        let token = before.targets[&id].token.clone();
        resumed.resume_type = Some(v1::target::ResumeType::ResumeToken(token));
        client.add_target(resumed);
        client.targets.get_mut(&id).unwrap().documents = before.targets[&id].stable.clone();
    }
    // Versions do not fall from one connection to the next.
    client.seen = before.seen;
    client
}

#[tokio::test]
async fn a_listener_has_what_a_query_finds() {
    let seeds = std::env::var("LISTEN_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40);
    for seed in 0..seeds {
        schedule(seed, 80).await;
    }
}
