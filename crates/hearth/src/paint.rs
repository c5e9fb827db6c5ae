//! Whether output may have colour: only on a terminal, never when `NO_COLOR` is set, always with `CLICOLOR_FORCE`.

use std::io::IsTerminal;

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
    !set("NO_COLOR") && (terminal || set("CLICOLOR_FORCE"))
}
