//! What a stream waits for, all at once: what lies in its outbox, its client's requests, the end of the house, the time.
//!
//! A delivery passes here twice. So nothing is set up for one wait and torn down after it, and what is there most often is
//! looked at first: a timer is only moved when it is due, or something is due before it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base::Status;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use wire::v1;

use crate::listen::outbox::Outbox;
use crate::ops::lifetime::{Lifetime, ended};
use crate::ops::stream::Requests;

/// A stream says something at least so often: clients take a silent one for dead.
const HEARTBEAT_SECONDS: u64 = 30;
/// How often a grant that the time can end is decided again.
const TIME_CHECK_SECONDS: u64 = 5;

/// Something to do.
pub enum Due {
    /// The outbox has something, or a grant is to be looked at.
    Changed,
    /// A request; none: there will be none.
    Request(Option<Box<Result<v1::ListenRequest, Status>>>),
    /// The house stops.
    Ending,
    /// Grants that the time can end are to be decided.
    TimeCheck,
    /// Nothing was said for a while.
    Heartbeat,
    /// The stream's own time is to be looked at.
    Lifetime,
}

/// The times of one stream, and the end of the house.
pub struct Waits {
    ending: BoxFuture<'static, ()>,
    alarm: Pin<Box<Sleep>>,
    heartbeat_at: Instant,
    time_check_at: Instant,
    lifetime_at: Instant,
}

impl Waits {
    /// Of a stream that begins.
    pub fn new(mut ending: watch::Receiver<bool>, lifetime: &Lifetime) -> Self {
        let now = Instant::now();
        let lifetime_at = now + lifetime.left();
        Self {
            ending: async move { ended(&mut ending).await }.boxed(),
            alarm: Box::pin(tokio::time::sleep_until(lifetime_at)),
            heartbeat_at: now + Duration::from_secs(HEARTBEAT_SECONDS),
            time_check_at: now + Duration::from_secs(TIME_CHECK_SECONDS),
            lifetime_at,
        }
    }

    /// Something was said: no heartbeat for a while.
    pub fn said(&mut self) {
        self.heartbeat_at = Instant::now() + Duration::from_secs(HEARTBEAT_SECONDS);
    }

    /// Waits for what is due next.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &Outbox,
        requests: &mut Requests<v1::ListenRequest>,
        lifetime: &Lifetime,
        depends_on_time: bool,
    ) -> Poll<Due> {
        if outbox.poll_changed(cx).is_ready() {
            return Poll::Ready(Due::Changed);
        }
        if let Poll::Ready(request) = requests.poll_next_unpin(cx) {
            return Poll::Ready(Due::Request(request.map(Box::new)));
        }
        if self.ending.poll_unpin(cx).is_ready() {
            return Poll::Ready(Due::Ending);
        }
        self.poll_alarm(cx, lifetime, depends_on_time)
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, lifetime: &Lifetime, depends_on_time: bool) -> Poll<Due> {
        loop {
            let time_check_at = depends_on_time.then_some(self.time_check_at);
            let next = time_check_at.into_iter().chain([self.heartbeat_at, self.lifetime_at]).min();
            let next = next.unwrap_or(self.lifetime_at);
            if next < self.alarm.deadline() {
                self.alarm.as_mut().reset(next);
            }
            if self.alarm.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if now < next {
                // It was set for a time that has been put off.
                self.alarm.as_mut().reset(next);
                continue;
            }
            if now >= self.lifetime_at {
                self.lifetime_at = now + lifetime.left();
                return Poll::Ready(Due::Lifetime);
            }
            if now >= self.heartbeat_at {
                self.said();
                return Poll::Ready(Due::Heartbeat);
            }
            self.time_check_at = now + Duration::from_secs(TIME_CHECK_SECONDS);
            return Poll::Ready(Due::TimeCheck);
        }
    }
}
