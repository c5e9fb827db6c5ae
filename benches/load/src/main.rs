//! Asks a server the same kind of HTTP/1.1 request over and over, over connections that stay open, and measures what it
//! took: requests a second, latency, and the server's own CPU time by `/proc/PID/stat`.
//!
//! ```text
//! load PORT PID CONNECTIONS SECONDS FILE
//! load bare SOCKETS BYTES
//! ```
//! FILE holds a request: its first line `METHOD PATH`, a line with the `Authorization` header's value (or `-`), the body.
//! `{n}` in path or body becomes a number that no other request of the run has, `{n:RANGE}` one from 0 up to RANGE.
//! A warm-up of a quarter of the time goes before. The answer is one line of JSON. Any status but 200 ends the run.

mod bare;
mod connection;
mod cpu;
mod request;

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use connection::Connection;
use request::Request;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [bare, sockets, bytes] = arguments.as_slice()
        && bare == "bare"
    {
        return bare::run(sockets.parse()?, bytes.parse()?);
    }
    let [port, pid, connections, seconds, file] = arguments.as_slice() else {
        return Err("load PORT PID CONNECTIONS SECONDS FILE".into());
    };
    let (port, pid, connections): (u16, u32, usize) = (port.parse()?, pid.parse()?, connections.parse()?);
    let seconds: f64 = seconds.parse()?;
    let request = Arc::new(Request::parse(&fs::read_to_string(file)?)?);

    let shared = Arc::new(Shared {
        measuring: AtomicBool::new(false),
        stopping: AtomicBool::new(false),
        next: AtomicU64::new(0),
        started: Barrier::new(connections + 1),
    });
    let askers: Vec<_> = (0..connections)
        .map(|_| {
            let (shared, request) = (Arc::clone(&shared), Arc::clone(&request));
            thread::spawn(move || ask(port, &request, &shared))
        })
        .collect();
    shared.started.wait();
    thread::sleep(Duration::from_secs_f64(seconds / 4.0));
    let cpu_before = cpu::millis(pid)?;
    let begun = Instant::now();
    shared.measuring.store(true, Ordering::Relaxed);
    thread::sleep(Duration::from_secs_f64(seconds));
    shared.measuring.store(false, Ordering::Relaxed);
    let elapsed = begun.elapsed().as_secs_f64();
    let cpu = cpu::millis(pid)? - cpu_before;
    shared.stopping.store(true, Ordering::Relaxed);

    let mut micros = Vec::new();
    for asker in askers {
        micros.extend(asker.join().map_err(|_| "an asker panicked")??);
    }
    micros.sort_unstable();
    let count = micros.len();
    let quantile = |part: f64| {
        micros.get(((count as f64 * part) as usize).min(count.saturating_sub(1))).copied().unwrap_or(0)
    };
    println!(
        "{{\"requests\":{count},\"per_second\":{:.1},\"p50_us\":{},\"p99_us\":{},\"cpu_us\":{:.2}}}",
        count as f64 / elapsed,
        quantile(0.5),
        quantile(0.99),
        cpu * 1000.0 / count.max(1) as f64
    );
    Ok(())
}

/// What the askers have in common.
struct Shared {
    measuring: AtomicBool,
    stopping: AtomicBool,
    next: AtomicU64,
    started: Barrier,
}

/// Asks until told to stop; the microseconds of each answer that came while measuring.
fn ask(port: u16, request: &Request, shared: &Shared) -> Outcome<Vec<u32>> {
    let mut connection = Connection::open(port);
    shared.started.wait();
    let mut micros = Vec::new();
    let mut text = Vec::new();
    let connection = connection.as_mut().map_err(|error| error.to_string())?;
    while !shared.stopping.load(Ordering::Relaxed) {
        request.write(shared.next.fetch_add(1, Ordering::Relaxed), &mut text);
        let begun = Instant::now();
        let status = connection.exchange(&text)?;
        let took = begun.elapsed();
        if status != 200 {
            return Err(format!("the server answered {status}: {}", connection.body()).into());
        }
        if shared.measuring.load(Ordering::Relaxed) {
            micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }
    Ok(micros)
}
