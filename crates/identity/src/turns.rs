//! Turns at hashing passwords. Hashing costs more than all else that strangers may ask for, so it is done a little at a
//! time, and who waits is served fairly: the address that was served longest ago comes first, and of its accounts the one
//! that was served longest ago. An account has one turn at a time, so that its failed attempts are counted one by one.
//! Accounts that have signed in from an address before wait in a lane of their own, which no flood of others fills.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::limits::{TURNS_WAITING_MAX, TURNS_WAITING_PER_ACCOUNT_MAX, TURNS_WAITING_PER_ADDRESS_MAX};
use crate::status::{Failure, TOO_MANY_ATTEMPTS};

/// Parties whose last turn is remembered while they do not wait.
const SERVED_LEN_MAX: usize = 1024;

/// On whose behalf something is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Party {
    /// The account: an e-mail address or a uid, whether there is such an account or not.
    pub account: String,
    /// The network that asks.
    pub address: String,
    /// Whether this account has signed in from there before.
    pub is_familiar: bool,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Turns {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: Vec<Ticket>,
    /// Accounts that have a turn.
    served_now: HashSet<String>,
    /// When an address, or an account, had its last turn: numbers that rise.
    served: HashMap<String, u64>,
    turns: u64,
    familiar_next: bool,
}

#[derive(Debug)]
struct Ticket {
    party: Party,
    tell: oneshot::Sender<Result<Turn, Failure>>,
}

/// Held while something is hashed.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` once it is given back.
    turns: Option<Arc<Turns>>,
    account: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.release(&self.account);
            turns.dispatch();
        }
    }
}

impl Turns {
    /// A queue of so many turns at once.
    pub fn new(at_once: usize) -> Arc<Self> {
        let state = State {
            free: at_once.max(1),
            waiting: Vec::new(),
            served_now: HashSet::new(),
            served: HashMap::new(),
            turns: 0,
            familiar_next: true,
        };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Waits for a turn.
    ///
    /// Errors: `TOO_MANY_ATTEMPTS_TRY_LATER` when too many wait already, of this account, address or altogether.
    pub async fn wait(self: &Arc<Self>, party: Party) -> Result<Turn, Failure> {
        let (tell, told) = oneshot::channel();
        {
            let mut state = self.state.lock();
            state.waiting.retain(|ticket| !ticket.tell.is_closed());
            if !state.make_room(&party) {
                return Err(TOO_MANY_ATTEMPTS.into());
            }
            state.waiting.push(Ticket { party, tell });
        }
        self.dispatch();
        told.await.unwrap_or_else(|_| Err(TOO_MANY_ATTEMPTS.into()))
    }

    /// Gives free turns to those who wait.
    fn dispatch(self: &Arc<Self>) {
        loop {
            let Some(Ticket { party, tell }) = self.state.lock().take() else { return };
            let turn = Turn { turns: Some(Arc::clone(self)), account: party.account };
            if let Err(Ok(mut turn)) = tell.send(Ok(turn)) {
                // Its client has gone. Given back here, not by its drop, which would come back here.
                turn.turns = None;
                self.release(&turn.account);
            }
        }
    }

    fn release(&self, account: &str) {
        let mut state = self.state.lock();
        state.served_now.remove(account);
        state.free += 1;
    }
}

impl State {
    /// The next ticket, when a turn is free for it.
    fn take(&mut self) -> Option<Ticket> {
        if self.free == 0 {
            return None;
        }
        let lanes = [self.familiar_next, !self.familiar_next];
        let at = lanes.into_iter().find_map(|familiar| self.next_of(familiar))?;
        let ticket = self.waiting.remove(at);
        self.familiar_next = !ticket.party.is_familiar;
        self.free -= 1;
        self.turns += 1;
        self.served_now.insert(ticket.party.account.clone());
        if self.served.len() >= SERVED_LEN_MAX {
            let waiting: HashSet<&str> =
                self.waiting.iter().flat_map(|ticket| ticket.party.names()).collect();
            self.served.retain(|name, _| waiting.contains(name.as_str()));
        }
        for name in ticket.party.names() {
            self.served.insert(name.to_owned(), self.turns);
        }
        Some(ticket)
    }

    /// Of one lane, who was served longest ago; of equals, who has waited longest.
    fn next_of(&self, familiar: bool) -> Option<usize> {
        let last = |name: &str| self.served.get(name).copied().unwrap_or(0);
        let ready = self.waiting.iter().enumerate().filter(|(_, ticket)| {
            ticket.party.is_familiar == familiar && !self.served_now.contains(&ticket.party.account)
        });
        let next =
            ready.min_by_key(|(at, Ticket { party, .. })| (last(&party.address), last(&party.account), *at));
        next.map(|(at, _)| at)
    }

    /// Whether another may wait. Where all places are taken, the address that has most of them gives one up.
    fn make_room(&mut self, party: &Party) -> bool {
        let lane = || {
            self.waiting
                .iter()
                .map(|ticket| &ticket.party)
                .filter(|other| other.is_familiar == party.is_familiar)
        };
        let of_account = lane().filter(|other| other.account == party.account).count();
        let of_address = lane().filter(|other| other.address == party.address).count();
        if of_account >= TURNS_WAITING_PER_ACCOUNT_MAX || of_address >= TURNS_WAITING_PER_ADDRESS_MAX {
            return false;
        }
        if lane().count() < TURNS_WAITING_MAX {
            return true;
        }
        let mut places: HashMap<&str, usize> = HashMap::new();
        for other in lane() {
            *places.entry(&other.address).or_default() += 1;
        }
        let Some((most, count)) = places.into_iter().max_by_key(|(_, count)| *count) else { return true };
        if count <= of_address + 1 {
            return false;
        }
        let last = self.waiting.iter().rposition(|ticket| {
            ticket.party.is_familiar == party.is_familiar && ticket.party.address == most
        });
        if let Some(last) = last {
            // Its client may have gone: then there is nobody to tell.
            let _ = self.waiting.remove(last).tell.send(Err(TOO_MANY_ATTEMPTS.into()));
        }
        true
    }
}

impl Party {
    fn names(&self) -> [&str; 2] {
        [&self.address, &self.account]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn party(account: &str, address: &str) -> Party {
        Party { account: account.into(), address: address.into(), is_familiar: false }
    }

    async fn settled() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_flood_delays_others_by_one_turn() {
        let turns = Turns::new(1);
        let first = turns.wait(party("x", "flood")).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let ask = |name: String, party: Party| {
            let (turns, order) = (Arc::clone(&turns), Arc::clone(&order));
            tokio::spawn(async move {
                let turn = turns.wait(party).await;
                order.lock().push(name);
                drop(turn);
            })
        };
        let mut tasks = Vec::new();
        for n in 0..50 {
            tasks.push(ask(format!("flood {n}"), party(&format!("victim {n}"), "flood")));
            settled().await;
        }
        tasks.push(ask("alice".into(), party("alice", "home")));
        tasks.push(ask("bob".into(), Party { is_familiar: true, ..party("bob", "flood") }));
        settled().await;
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock();
        let place = |name: &str| order.iter().position(|other| other == name).unwrap();
        assert!(place("alice") < 3 && place("bob") < 3, "{order:?}");
        assert_eq!(order.len(), 52);
    }

    #[tokio::test]
    async fn an_account_has_one_turn_at_a_time() {
        let turns = Turns::new(4);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let (turns, now, most) = (Arc::clone(&turns), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let _turn = turns.wait(party("one", &format!("address {n}"))).await.unwrap();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    settled().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn places_are_bounded_and_who_has_most_gives_one_up() {
        let turns = Turns::new(1);
        let held = turns.wait(party("x", "x")).await.unwrap();
        let mut waiting = Vec::new();
        let mut ask = |party: Party| {
            let turns = Arc::clone(&turns);
            waiting.push(tokio::spawn(async move { turns.wait(party).await.map(drop) }));
        };
        for n in 0..=TURNS_WAITING_PER_ACCOUNT_MAX {
            ask(party("same", &format!("address {n}")));
        }
        settled().await;
        assert_eq!(turns.state.lock().waiting.len(), TURNS_WAITING_PER_ACCOUNT_MAX);
        for address in 0..8 {
            for n in 0..TURNS_WAITING_PER_ADDRESS_MAX {
                ask(party(&format!("{address} {n}"), &format!("flood {address}")));
            }
        }
        settled().await;
        assert_eq!(turns.state.lock().waiting.len(), TURNS_WAITING_MAX);
        ask(party("alice", "home"));
        settled().await;
        assert!(turns.state.lock().waiting.iter().any(|ticket| ticket.party.account == "alice"));
        assert_eq!(turns.state.lock().waiting.len(), TURNS_WAITING_MAX);
        drop(held);
        let mut refused = 0;
        for task in waiting {
            refused += usize::from(task.await.unwrap().is_err());
        }
        assert!(refused > 1);
        assert!(turns.state.lock().waiting.is_empty());
        assert_eq!(turns.state.lock().free, 1);
    }

    #[tokio::test]
    async fn who_hangs_up_leaves_no_turn_behind() {
        let turns = Turns::new(1);
        let held = turns.wait(party("x", "x")).await.unwrap();
        let gone = Arc::clone(&turns);
        let task = tokio::spawn(async move { gone.wait(party("gone", "y")).await.map(drop) });
        settled().await;
        task.abort();
        settled().await;
        drop(held);
        assert!(turns.wait(party("next", "z")).await.is_ok());
    }
}
