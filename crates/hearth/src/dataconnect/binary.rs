//! This program as the Firebase CLI's Data Connect binary.
//!
//! The CLI runs `DATACONNECT_EMULATOR_BINARY_PATH --logtostderr -v=2 build --config_dir=DIR --project_id=ID`, and in the
//! same way `sdk generate` and `dev`. No verb of Hearth begins with `--logtostderr`.
//!
//! Source: firebase-tools, `src/emulator/dataconnectEmulator.ts`. Flags that are not known are accepted.

use std::ffi::{OsStr, OsString};

/// The flag that only the official binary has.
const MARK: &str = "--logtostderr";

/// What a call of the Firebase CLI is in words of Hearth.
pub fn as_binary(arguments: &[OsString]) -> Option<Vec<OsString>> {
    let (program, rest) = arguments.split_first()?;
    if rest.first().map(OsString::as_os_str) != Some(OsStr::new(MARK)) {
        return None;
    }
    let words: Vec<&str> = rest.iter().filter_map(|word| word.to_str()).collect();
    let verbs: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let folder = words.iter().find_map(|word| word.strip_prefix("--config_dir=")).unwrap_or(".");
    let verb: &[&str] = match verbs.as_slice() {
        ["build", ..] => &["dataconnect", "build"],
        ["sdk", "generate", ..] => &["dataconnect", "sdk", "generate"],
        _ => return None,
    };
    let verb = verb.iter().map(OsString::from);
    Some([program.clone()].into_iter().chain(verb).chain([OsString::from(folder)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_firebase_cli_are_understood() {
        let call = |text: &str| {
            let words: Vec<OsString> = text.split(' ').map(OsString::from).collect();
            let read = as_binary(&words)?;
            Some(read.join(OsStr::new(" ")).into_string().unwrap())
        };
        let build = "hearth --logtostderr -v=2 build --config_dir=/p/dataconnect --project_id=demo";
        assert_eq!(call(build).as_deref(), Some("hearth dataconnect build /p/dataconnect"));
        let sdk = "hearth --logtostderr -v=2 sdk generate --config_dir=/p --watch";
        assert_eq!(call(sdk).as_deref(), Some("hearth dataconnect sdk generate /p"));
        assert_eq!(call("hearth check"), None);
        assert_eq!(call("hearth dataconnect build"), None);
    }
}
