//! How much CPU time a process has used.

use std::fs;

use crate::Outcome;

/// Linux counts in hundredths of a second whatever the kernel's own tick is.
const MILLIS_PER_TICK: f64 = 10.0;

/// User and system time of a process since its start, in milliseconds.
pub fn millis(pid: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold spaces; fields are counted after it.
    let (_, fields) = stat.rsplit_once(')').ok_or("an unreadable /proc/PID/stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks =
        || fields.next().ok_or("a short /proc/PID/stat")?.parse::<f64>().map_err(|_| "no number of ticks");
    Ok((ticks()? + ticks()?) * MILLIS_PER_TICK)
}
