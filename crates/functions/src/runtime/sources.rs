//! Whether a codebase's files have changed: what is looked at a few times a second, names, sizes and times of change.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// Files that are looked at; what is beyond is not noticed.
const FILES_MAX: usize = 20_000;
/// Folders inside each other.
const DEPTH_MAX: usize = 32;
/// Folders that are none of the code.
const PASSED_OVER: [&str; 3] = ["node_modules", "venv", "coverage"];

/// A number that differs when a file of the codebase has changed, come or gone.
pub fn fingerprint(source: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut left = FILES_MAX;
    visit(source, DEPTH_MAX, &mut left, &mut hasher);
    // What `npm install` writes last.
    let installed = source.join("node_modules/.package-lock.json");
    installed.metadata().and_then(|metadata| metadata.modified()).ok().hash(&mut hasher);
    hasher.finish()
}

fn visit(folder: &Path, depth: usize, left: &mut usize, hasher: &mut DefaultHasher) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_variables = name.starts_with(".env") || name == ".secret.local";
        if (name.starts_with('.') && !is_variables) || name.ends_with(".log") || PASSED_OVER.contains(&&*name)
        {
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            if depth > 0 {
                visit(&entry.path(), depth - 1, left, hasher);
            }
            continue;
        }
        if *left == 0 {
            return;
        }
        *left -= 1;
        (entry.path(), metadata.len(), metadata.modified().ok()).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_new_files_and_lost_files_count_and_what_is_no_code_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("index.js", "1");
        let mut before = fingerprint(folder.path());
        for (name, counts) in [
            ("index.js", true),
            ("lib/a.js", true),
            (".env.local", true),
            ("node_modules/x/index.js", false),
            ("debug.log", false),
            (".git/HEAD", false),
        ] {
            write(name, "longer");
            let after = fingerprint(folder.path());
            assert_eq!(after != before, counts, "{name}");
            before = after;
        }
        std::fs::remove_file(folder.path().join("lib/a.js")).unwrap();
        assert_ne!(fingerprint(folder.path()), before);
    }
}
