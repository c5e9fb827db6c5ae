//! `hearth launcher`: has the Firebase CLI start Hearth where it starts the official Firestore emulator.
//!
//! The CLI runs `java … -jar FIRESTORE_EMULATOR_BINARY_PATH FLAGS…`. The launcher is a folder with a link `java` to this
//! program, to stand first in `PATH`, and a file for that variable. Called as `java`, the program starts the emulator for
//! that file and hands every other call to the real Java.
//!
//! Source: `downloadableEmulators.ts` and `commandUtils.ts` (`java -version`) of firebase-tools.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::cli::Launcher;
use crate::failure::Failure;
use crate::table::print_text;

/// The name that the Firebase CLI calls.
const JAVA: &str = "java";
/// The file that stands for the official emulator's jar.
const JAR: &str = "hearth-firestore-emulator.jar";
/// The first version of Java that the Firebase CLI takes.
const JAVA_VERSION: u32 = 21;

/// Makes the folder and prints what a shell is to evaluate.
pub fn run(ask: &Launcher) -> Result<(), Failure> {
    let folder = match &ask.dir {
        Some(dir) => dir.clone(),
        None => cache_folder()?.join("hearth-launcher"),
    };
    let failed = |error| format!("the launcher cannot be written to `{}`: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    let failed = |error| format!("the launcher cannot be written to `{}`: {error}", folder.display());
    let program = std::env::current_exe().map_err(failed)?;
    let (java, jar) = (folder.join(JAVA), folder.join(JAR));
    if java.symlink_metadata().is_ok() {
        fs::remove_file(&java).map_err(failed)?;
    }
    symlink(program, &java).map_err(failed)?;
    fs::write(&jar, "Stands for the official Firestore emulator; `java` beside it starts Hearth.\n")
        .map_err(failed)?;
    print_text(&format!(
        "export PATH={}:\"$PATH\"\nexport FIRESTORE_EMULATOR_BINARY_PATH={}",
        quoted(&folder),
        quoted(&jar)
    ))
}

fn cache_folder() -> Result<PathBuf, String> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    of("XDG_CACHE_HOME")
        .or_else(|| Some(of("HOME")?.join(".cache")))
        .ok_or_else(|| "there is no home folder: say where with `--dir`".to_owned())
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// What a call of this program by another name asks for.
pub enum Called {
    /// Its own verbs.
    AsHearth,
    /// The emulator, with these flags.
    AsEmulator(Vec<OsString>),
    /// It has been answered.
    Answered(ExitCode),
}

/// Reads the call.
pub fn called(arguments: &[OsString]) -> Called {
    let (name, rest) = match arguments.split_first() {
        Some((program, rest)) => (Path::new(program).file_name(), rest),
        None => return Called::AsHearth,
    };
    if name != Some(OsStr::new(JAVA)) {
        return Called::AsHearth;
    }
    if let Some(at) = rest.iter().position(|argument| argument == "-jar")
        && let Some((jar, flags)) = rest.get(at + 1..).and_then(<[OsString]>::split_first)
        && Path::new(jar).file_name() == Some(OsStr::new(JAR))
    {
        return Called::AsEmulator(flags.to_vec());
    }
    let real = real_java();
    if rest.iter().any(|argument| argument == "-version") && !real.as_deref().is_some_and(is_new_enough) {
        // The form is Java's; the CLI asks for nothing but the number.
        eprintln!("openjdk version \"{JAVA_VERSION}\"\nHearth {} stands in", env!("CARGO_PKG_VERSION"));
        return Called::Answered(ExitCode::SUCCESS);
    }
    let Some(real) = real else {
        eprintln!("java: not found: only the Firestore emulator runs without it, which is Hearth");
        return Called::Answered(ExitCode::from(127));
    };
    let error = Command::new(&real).args(rest).exec();
    eprintln!("java: `{}` cannot be run: {error}", real.display());
    Called::Answered(ExitCode::from(126))
}

/// The next `java` of `PATH` that is not this program.
fn real_java() -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?.canonicalize().ok()?;
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(JAVA));
    found.find(|java| java.canonicalize().is_ok_and(|real| real != this))
}

fn is_new_enough(java: &Path) -> bool {
    let Ok(output) = Command::new(java).arg("-version").output() else { return false };
    let text = String::from_utf8_lossy(&output.stderr);
    let number = text.split_once("version \"").map(|(_, rest)| rest);
    let number = number.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    number.is_some_and(|number: u32| number >= JAVA_VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_emulators_jar_is_ours() {
        let call = |arguments: &[&str]| called(&arguments.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(matches!(call(&["/usr/bin/hearth", "dev"]), Called::AsHearth));
        assert!(matches!(call(&[]), Called::AsHearth));
        let jar = "/x/hearth-firestore-emulator.jar";
        let started = call(&["/x/java", "-Duser.language=en", "-jar", jar, "--port", "8080"]);
        assert!(matches!(started, Called::AsEmulator(flags) if flags == ["--port", "8080"]));
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted(Path::new("/a b/it's")), "'/a b/it'\\''s'");
    }
}
