//! Answers of the command line on standard output: tables for people, JSON for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Rows of text under headings.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these headings.
    pub fn new<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Self {
        Self { rows: vec![headings.map(str::to_owned).to_vec()] }
    }

    /// Adds a row. Control characters are written out: names are what clients chose, and a terminal obeys them.
    pub fn add<const COLUMNS: usize>(&mut self, row: [&str; COLUMNS]) {
        let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        self.rows.push(row.map(|text| text.chars().map(plain).collect()).to_vec());
    }

    fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// Prints a table.
pub fn print(table: &Table) -> Result<(), Failure> {
    write(&table.text())
}

/// Prints a line for people.
pub fn print_text(text: &str) -> Result<(), Failure> {
    write(&format!("{text}\n"))
}

/// Prints an answer as JSON.
pub fn print_json(answer: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(answer).map_err(|error| error.to_string())?;
    write(&(text + "\n"))
}

fn write(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("standard output cannot be written: {error}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_a_terminal_is_not_obeyed() {
        let mut table = Table::new(["NAME", "STATE"]);
        table.add(["a-long-name", "on"]);
        table.add(["\u{1b}[2J", ""]);
        assert_eq!(table.text(), "NAME         STATE\na-long-name  on\n\\u{1b}[2J\n");
    }
}
