//! How output looks: whether it has colour and how wide it may be.

use std::io::IsTerminal;
use std::sync::OnceLock;

use policy::{Diagnostic, Source, diagnostic};
use terminal_size::{Width, terminal_size_of};

/// What `--color` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set; with `CLICOLOR_FORCE` always
    Auto,
    Always,
    Never,
}

static ASKED: OnceLock<Color> = OnceLock::new();

static QUIET: OnceLock<bool> = OnceLock::new();

/// Whether nothing but errors is to be said.
pub fn is_quiet() -> bool {
    QUIET.get().copied().unwrap_or_default()
}

/// Takes the command line's word for all output of this process.
pub fn ask(color: Color, quiet: bool) {
    let _ = QUIET.set(quiet);
    // The first word counts, and there is one.
    let _ = ASKED.set(color);
}

/// Colour on standard output.
pub fn stdout_has_color() -> bool {
    allowed(std::io::stdout().is_terminal())
}

/// Colour on standard error.
pub fn stderr_has_color() -> bool {
    allowed(std::io::stderr().is_terminal())
}

fn allowed(terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    match ASKED.get() {
        Some(Color::Always) => true,
        Some(Color::Never) => false,
        Some(Color::Auto) | None => !set("NO_COLOR") && (terminal || set("CLICOLOR_FORCE")),
    }
}

/// How lines look in one place.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether there is colour.
    pub colour: bool,
    /// The longest line; `None` in a file or a pipe.
    pub columns: Option<usize>,
}

impl Look {
    /// On standard output.
    pub fn stdout() -> Self {
        let columns = terminal_size_of(std::io::stdout()).map(|(Width(columns), _)| columns.into());
        Self { colour: stdout_has_color(), columns }
    }

    /// On standard error.
    pub fn stderr() -> Self {
        let columns = terminal_size_of(std::io::stderr()).map(|(Width(columns), _)| columns.into());
        Self { colour: stderr_has_color(), columns }
    }

    /// A text in a colour of ANSI X3.64, such as `31` for red.
    pub fn paint(self, colour: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Findings as a compiler shows them, as wide as the terminal.
pub fn findings(source: &Source, found: &[Diagnostic], look: Look) -> String {
    diagnostic::render_within(source, found, look.colour, look.columns)
}

/// A text of at most so many columns; what is left out is shown by `…`.
pub fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    kept.push('…');
    kept
}
