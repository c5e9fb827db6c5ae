//! What a delivery costs at least: the same bytes to many sockets, one write for each, and nothing else.

use std::io::{BufRead, Write};
use std::net::TcpListener;

use crate::{Outcome, cpu};

/// Takes in so many connections and then, for each line of standard input, writes so many bytes to each of them. Says its port
/// first, and at the end its CPU time in milliseconds since the first line.
pub fn run(sockets: usize, bytes: usize) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let accepted = (0..sockets).map(|_| {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        Ok(socket)
    });
    let mut sockets = accepted.collect::<Outcome<Vec<_>>>()?;
    let message = vec![b'x'; bytes];
    let mut before = None;
    for line in std::io::stdin().lock().lines() {
        line?;
        before.get_or_insert(cpu::millis(std::process::id())?);
        for socket in &mut sockets {
            socket.write_all(&message)?;
        }
    }
    println!("{}", cpu::millis(std::process::id())? - before.unwrap_or_default());
    Ok(())
}
