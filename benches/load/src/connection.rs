//! One HTTP/1.1 connection that stays open: as much of the protocol as a load generator needs.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::Outcome;

/// More than any answer that is measured.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// An open connection and the last answer on it.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    body_start: usize,
}

impl Connection {
    /// Connects to a port of this machine.
    pub fn open(port: u16) -> Outcome<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(64 << 10), body_start: 0 })
    }

    /// Sends a whole request and takes in the whole answer; its status.
    pub fn exchange(&mut self, request: &[u8]) -> Outcome<u16> {
        self.stream.write_all(request)?;
        self.received.clear();
        let head_end = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            self.receive()?;
        };
        self.body_start = head_end;
        let head = String::from_utf8_lossy(&self.received[..head_end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).ok_or("an answer without a status")?.parse()?;
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if let Some(length) = header("content-length:") {
            let end = head_end + length.parse::<usize>()?;
            while self.received.len() < end {
                self.receive()?;
            }
        } else if header("transfer-encoding:") == Some("chunked") {
            self.receive_chunks(head_end)?;
        }
        Ok(status)
    }

    /// The last answer's body, as it came.
    pub fn body(&self) -> String {
        String::from_utf8_lossy(&self.received[self.body_start..]).into_owned()
    }

    fn receive_chunks(&mut self, mut at: usize) -> Outcome<()> {
        loop {
            let line_end = loop {
                if let Some(end) = find(&self.received[at..], b"\r\n") {
                    break at + end;
                }
                self.receive()?;
            };
            let size = std::str::from_utf8(&self.received[at..line_end])?;
            let size = usize::from_str_radix(size.split(';').next().unwrap_or(size).trim(), 16)?;
            let end = line_end + 2 + size + 2;
            while self.received.len() < end {
                self.receive()?;
            }
            if size == 0 {
                return Ok(());
            }
            at = end;
        }
    }

    fn receive(&mut self) -> Outcome<()> {
        let mut buffer = [0; 32 << 10];
        let count = self.stream.read(&mut buffer)?;
        if count == 0 {
            return Err("the server closed the connection".into());
        }
        self.received.extend_from_slice(&buffer[..count]);
        if self.received.len() > ANSWER_BYTES_MAX {
            return Err("the answer is too long".into());
        }
        Ok(())
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
