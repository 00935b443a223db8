//! Programs of others that a test uses where they are installed.

use std::io::Write as _;
use std::path::PathBuf;

/// Where a program is; without it, says so past the capture of the tests.
pub(crate) fn tool(name: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers lie where an ordinary user's PATH does not lead.
    let further = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path)
        .chain(further)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        not_run(package);
    }
    found
}

/// Says that a test did not run and what it would take.
pub(crate) fn not_run(needs: &str) {
    let _ = writeln!(std::io::stderr(), "not run: needs {needs}");
}
