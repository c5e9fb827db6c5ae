//! What happens, as it happens, in `dev`'s terminal: denials and failures, sign-ins, and the links that production sends by
//! e-mail. Allowed reads and writes are not told: `hearth log --follow` has them.

use std::time::Duration;

use access::log::{Event, Verdict};
use base::{Clock, SystemClock};
use jiff::tz::TimeZone;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use crate::log::line::Lines;
use crate::paint::Look;
use crate::screen::Screen;

/// Lines of one second; the rest of it is counted.
const LINES_PER_SECOND_MAX: usize = 20;

/// Tells events until there are no more.
pub async fn tell(mut events: Receiver<Event>, project: String, screen: Screen) {
    let mut second = Second::begin();
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = tokio::time::sleep_until(second.end), if second.left_out > 0 => {
                second.close(screen);
                continue;
            }
        };
        match event {
            Ok(event) if is_told(&event) => second.tell(&event, &project, screen),
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => second.left_out += missed,
            Err(RecvError::Closed) => return,
        }
    }
}

fn is_told(event: &Event) -> bool {
    match event.verdict {
        Verdict::Deny | Verdict::Error => true,
        Verdict::Allow => event.service == "identity",
        Verdict::Admin => event.details.contains_key("link"),
    }
}

struct Second {
    end: Instant,
    lines: usize,
    left_out: u64,
}

impl Second {
    fn begin() -> Self {
        Self { end: Instant::now() + Duration::from_secs(1), lines: 0, left_out: 0 }
    }

    fn tell(&mut self, event: &Event, project: &str, screen: Screen) {
        if Instant::now() >= self.end {
            self.close(screen);
        }
        if self.lines >= LINES_PER_SECOND_MAX {
            self.left_out += 1;
            return;
        }
        self.lines += 1;
        let lines =
            Lines::new(Look::stderr(), TimeZone::system(), SystemClock.now()).without_project(Some(project));
        screen.say(&lines.line(event));
        // Never cut: it is there to be opened.
        if let Some(link) = event.details.get("link").and_then(serde_json::Value::as_str) {
            screen.say(&format!("  {link}"));
        }
    }

    fn close(&mut self, screen: Screen) {
        if self.left_out > 0 {
            screen.say(&format!("  and {} more: `hearth log` has them", self.left_out));
        }
        *self = Self::begin();
    }
}
