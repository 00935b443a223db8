//! Whose files are read: a directory's, or those behind a URL.

use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::blocking::Client;
use rustc_hash::FxHashMap;

use crate::drive::tls::Trust;
use crate::reference::content::{Absent, Directory, Fetch, File, Source, Watched};

/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of all files behind a URL that are kept.
const KEPT_BYTES_MAX: usize = 512 << 20;
/// Requests to a server.
const REQUESTS_MAX: usize = 20_000;
/// Names of a directory that are known.
pub(super) const NAMES_MAX: usize = 200_000;
/// Depth of directories.
const DEPTH_MAX: usize = 16;
/// Wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

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
        })
    }

    /// The files below a URL of `http` or `https`, which is the server's root. Each is asked for
    /// once, at most 20,000 in all.
    ///
    /// # Errors
    /// Another scheme, or a client that cannot be made.
    pub fn url(url: &str, trust: &Trust, verify: bool) -> Result<Self, String> {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        if !matches!(scheme, Some("http" | "https")) {
            return Err(format!(
                "{url}: files are read from a directory, http:// or https:// only; of a server for \
                 another protocol give the directory that it serves"
            ));
        }
        let failed = |fault: &dyn std::fmt::Display| format!("failed to ask {url}: {fault}");
        let tls = trust.client(verify, None).map_err(|fault| failed(&fault))?;
        let client = Client::builder()
            .tls_backend_preconfigured(rustls::ClientConfig::clone(&tls))
            .timeout(PATIENCE)
            .build()
            .map_err(|fault| failed(&fault))?;
        let troubles: Arc<Mutex<Vec<String>>> = Arc::default();
        let fetch = fetcher(client, format!("{}/", url.trim_end_matches('/')), &troubles);
        Ok(Self {
            watched: Watched::fetched(fetch),
            names: None,
            unlisted: false,
            troubles,
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
}

fn fetcher(client: Client, root: String, troubles: &Arc<Mutex<Vec<String>>>) -> Box<Fetch> {
    let known = Mutex::<Known>::default();
    let troubles = Arc::clone(troubles);
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
        } else {
            known.requests += 1;
            fetch(&client, &format!("{root}{}", escaped(path)))
        };
        let found = found.unwrap_or_else(|trouble| {
            let mut told = troubles.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() < 20 && !told.contains(&trouble) {
                told.push(trouble);
            }
            Err(Absent::Unreadable)
        });
        known.bytes += found.as_ref().map_or(0, |file| file.bytes.len());
        known.files.insert(path.to_vec(), found.clone());
        found
    })
}

/// One file; `Err` when the server could not be asked or says something else than that it is there
/// or not.
fn fetch(client: &Client, url: &str) -> Result<Result<File, Absent>, String> {
    let failed = |fault: &dyn std::fmt::Display| format!("failed to fetch {url}: {fault}");
    let answer = client.get(url).send().map_err(|fault| failed(&fault))?;
    match answer.status().as_u16() {
        200..=299 => {}
        403 | 404 | 410 => return Ok(Err(Absent::Missing)),
        status => return Err(failed(&format!("HTTP status {status}"))),
    }
    let mut bytes = Vec::new();
    let read = answer.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|fault| failed(&fault))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Ok(Err(Absent::TooLarge));
    }
    Ok(Ok(File::new(bytes.into())))
}

/// A path as a request target has it; a query stays as it is.
fn escaped(path: &[u8]) -> String {
    let mut text = String::new();
    // A name with a query comes as the request had it.
    let as_sent = path.contains(&b'?');
    for byte in path {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/?=&;:@!$'()*+,".contains(byte);
        let plain = plain || as_sent && *byte == b'%';
        if plain {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
