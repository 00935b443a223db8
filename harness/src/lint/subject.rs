//! Whose files are read: a directory's, or those behind a URL.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::fetch::{Server, Trouble};
use crate::drive::tls::Trust;
use crate::reference::content::{Absent, Directory, Fetch, File, Source, Watched};

/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of all files behind a URL that are kept.
const KEPT_BYTES_MAX: usize = 512 << 20;
/// Requests to a server.
const REQUESTS_MAX: usize = 20_000;
/// After so many requests in a row without an answer a server is not asked any more.
const UNANSWERED_MAX: usize = 3;
/// Different things that a server could not be asked, and that are told.
const TROUBLES_MAX: usize = 20;
/// A name that no server has: whatever is answered, somebody is there.
const ANYBODY: &[u8] = b"bootstorm-is-anybody-there";
/// Names of a directory that are known.
pub(super) const NAMES_MAX: usize = 200_000;
/// Depth of directories.
const DEPTH_MAX: usize = 16;

/// Why there are no files to be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSubject {
    /// The URL is no use.
    #[error("{0}")]
    Unusable(String),
    /// Nobody answers there.
    #[error("the server is not there: {0}")]
    Absent(String),
}

/// Files to be read.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What they are read through.
    pub(super) watched: Arc<Watched>,
    /// Every path, sorted; none where they cannot be listed.
    pub(super) names: Option<Vec<String>>,
    /// There are more than `NAMES_MAX` names.
    pub(super) unlisted: bool,
    /// What the server could not be asked.
    pub(super) troubles: Arc<Mutex<Vec<String>>>,
    /// The server stopped answering.
    gone: Arc<AtomicBool>,
}

impl Subject {
    /// The files of a directory, which is the server's root. Symbolic links are followed only to
    /// places within it; files over 64 MiB count as too large.
    ///
    /// # Errors
    /// When there is no readable directory.
    pub fn directory(path: &Path) -> std::io::Result<Self> {
        let directory = Directory::open(path, FILE_BYTES_MAX)?;
        let source = Source::Directory(Arc::new(directory));
        let mut names = Vec::new();
        collect((path, &source), "", 0, &mut names);
        names.sort_unstable();
        let unlisted = names.len() >= NAMES_MAX;
        Ok(Self {
            watched: Watched::source(source),
            names: Some(names),
            unlisted,
            troubles: Arc::default(),
            gone: Arc::default(),
        })
    }

    /// The files below a URL of `http`, `https`, `ftp` or `tftp`, which is the server's root. Each
    /// is asked for once, at most 20,000 in all.
    ///
    /// # Errors
    /// `NoSubject::Unusable` for another scheme or a client that cannot be made,
    /// `NoSubject::Absent` where nobody answers.
    pub fn url(url: &str, trust: &Trust, verify: bool) -> Result<Self, NoSubject> {
        let server = Server::new(url, trust, verify).map_err(NoSubject::Unusable)?;
        if let Err(Trouble::Nobody(why)) = server.fetch(ANYBODY) {
            return Err(NoSubject::Absent(why));
        }
        let troubles: Arc<Mutex<Vec<String>>> = Arc::default();
        let gone: Arc<AtomicBool> = Arc::default();
        let fetch = fetcher(server, &troubles, &gone);
        Ok(Self {
            watched: Watched::fetched(fetch),
            names: None,
            unlisted: false,
            troubles,
            gone,
        })
    }

    /// The path that differs from this one by the case of letters alone.
    pub(super) fn in_another_case(&self, path: &str) -> Option<String> {
        if let Some(names) = &self.names {
            let mut names = names.iter();
            return names
                .find(|name| name.eq_ignore_ascii_case(path) && *name != path)
                .cloned();
        }
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let slash = if directory.is_empty() { "" } else { "/" };
        let others = [name.to_ascii_lowercase(), name.to_ascii_uppercase()];
        let others = others.into_iter().filter(|other| other != name);
        others
            .map(|other| format!("{directory}{slash}{other}"))
            .find(|path| self.watched.look(path.as_bytes()).is_ok())
    }

    /// Whether the server stopped answering, so that what is missing says nothing.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// What the server could not be asked, each once.
    pub(super) fn troubles(&self) -> Vec<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.clone()
    }
}

/// Adds every name below a directory; those of linked directories are not gone through twice.
fn collect((root, source): (&Path, &Source), below: &str, depth: usize, names: &mut Vec<String>) {
    let room = NAMES_MAX.saturating_sub(names.len());
    for (name, length) in source.list(below.as_bytes(), room) {
        let path = format!("{below}{name}");
        match length {
            Some(_) if names.len() < NAMES_MAX => names.push(path),
            None if root.join(&path).is_symlink() => {
                let there = source.find(path.as_bytes()).is_ok() && names.len() < NAMES_MAX;
                names.extend(there.then_some(path));
            }
            None if depth < DEPTH_MAX => {
                collect((root, source), &format!("{path}/"), depth + 1, names);
            }
            _ => {}
        }
    }
}

/// What is known of a server's files.
#[derive(Debug, Default)]
struct Known {
    files: FxHashMap<Vec<u8>, Result<File, Absent>>,
    requests: usize,
    bytes: usize,
    /// Requests in a row that nobody answered.
    unanswered: usize,
}

fn fetcher(
    server: Server,
    troubles: &Arc<Mutex<Vec<String>>>,
    gone: &Arc<AtomicBool>,
) -> Box<Fetch> {
    let known = Mutex::<Known>::default();
    let (troubles, gone) = (Arc::clone(troubles), Arc::clone(gone));
    Box::new(move |path| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.files.get(path) {
            return found.clone();
        }
        let found = if known.requests >= REQUESTS_MAX || known.bytes >= KEPT_BYTES_MAX {
            Err(format!(
                "not every file was asked for: {REQUESTS_MAX} requests and {} MiB are the limit",
                KEPT_BYTES_MAX >> 20
            ))
        } else if known.unanswered >= UNANSWERED_MAX {
            gone.store(true, Ordering::Relaxed);
            Err("not every file was asked for: the server does not answer any more".to_owned())
        } else {
            known.requests += 1;
            let fetched = server.fetch(path);
            known.unanswered = match &fetched {
                Err(Trouble::Nobody(_)) => known.unanswered + 1,
                _ => 0,
            };
            fetched.map_err(|trouble| match trouble {
                Trouble::Nobody(why) | Trouble::Odd(why) => why,
            })
        };
        let found = found.unwrap_or_else(|trouble| {
            let mut told = troubles.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() < TROUBLES_MAX && !told.contains(&trouble) {
                told.push(trouble);
            }
            Err(Absent::Unreadable)
        });
        known.bytes += found.as_ref().map_or(0, |file| file.bytes.len());
        known.files.insert(path.to_vec(), found.clone());
        found
    })
}
