//! What is served: path → bytes, the same for every protocol.
//!
//! A path is what follows the root, without a leading `/`: `0021f222b01d.cfg`,
//! `000b/820c/000b820c2371.md5`. Names are case-sensitive, as they are on the servers that phones
//! meet in the field. A path with a `..` segment or a zero byte is refused.

mod edited;
mod staged;
mod watched;

use md5::{Digest, Md5};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use edited::Edited;
pub use staged::Staged;
pub use watched::{Asked, Fetch, Watched};

/// Bytes of one file served out of a directory, unless said otherwise.
pub const DIRECTORY_FILE_BYTES_MAX: u64 = 256 << 20;
/// When files in memory say that they were written, in seconds since 1970: 2026-01-01. They are
/// made anew in every run, and equal runs must be equal.
const GENERATED_AT: u64 = 1_767_225_600;
/// Bytes of files of a directory that are kept in memory.
pub const DIRECTORY_CACHE_BYTES_MAX: usize = 64 << 20;

/// What is served. Cheap to clone; all clones show the same.
#[derive(Debug, Clone)]
pub enum Source {
    /// A tree in memory.
    Tree(Arc<Tree>),
    /// A directory of the user's; changes in it show at once.
    Directory(Arc<Directory>),
    /// Another one, as a mutant shows it.
    Edited(Arc<Edited>),
    /// One after the other.
    Staged(Arc<Staged>),
    /// One whose requests are noted.
    Watched(Arc<Watched>),
}

/// One file's content.
#[derive(Debug, Clone)]
pub struct File {
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// Their MD5.
    pub md5: [u8; 16],
    /// When they were written, in seconds since 1970.
    pub modified: u64,
}

/// Why there is nothing to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// No such file; a directory counts as none.
    #[error("no such file")]
    Missing,
    /// A path that leads out of the root, or cannot be a path at all.
    #[error("path leads out of the root or is not a path")]
    Refused,
    /// A file larger than is served.
    #[error("file is larger than is served")]
    TooLarge,
    /// A file that is there and cannot be read.
    #[error("file cannot be read")]
    Unreadable,
}

/// Files in memory.
#[derive(Debug, Default)]
pub struct Tree {
    files: FxHashMap<Box<[u8]>, File>,
}

/// A directory of the user's. Symbolic links are followed only to places within it. (Whoever may
/// write there while it is served could still exchange a name between check and use: serve
/// directories whose writers you trust.)
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    file_bytes_max: u64,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    files: FxHashMap<Box<[u8]>, (Stamp, File)>,
    bytes: usize,
}

/// What changes when a file's content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Source {
    /// Serves `tree`.
    #[must_use]
    pub fn tree(tree: Tree) -> Self {
        Self::Tree(Arc::new(tree))
    }

    /// Serves the directory at `path`, files of at most `DIRECTORY_FILE_BYTES_MAX` bytes.
    ///
    /// # Errors
    /// As `Directory::open`.
    pub fn directory(path: &Path) -> std::io::Result<Self> {
        Directory::open(path, DIRECTORY_FILE_BYTES_MAX)
            .map(Arc::new)
            .map(Self::Directory)
    }

    /// The file at `path`, which may begin with `/` or not: TFTP clients send both (WIRE-08,
    /// PND-07). Nothing is allocated for a tree.
    ///
    /// # Errors
    /// Why there is nothing to serve.
    pub fn find(&self, path: &[u8]) -> Result<File, Absent> {
        let path = rooted(path)?;
        match self {
            Self::Tree(tree) => tree.files.get(path).cloned().ok_or(Absent::Missing),
            Self::Directory(directory) => directory.read(path),
            Self::Edited(edited) => edited.find(path),
            Self::Staged(staged) => staged.now().find(path),
            Self::Watched(watched) => watched.find(path),
        }
    }

    /// Names in the directory at `path`, sorted, with the length of each file; directories have
    /// none. At most `most` of them; nothing for what is no directory.
    #[must_use]
    pub fn list(&self, path: &[u8], most: usize) -> Vec<(String, Option<u64>)> {
        let Ok(path) = rooted(path) else {
            return Vec::new();
        };
        let mut names = match self {
            Self::Tree(tree) => tree.list(path),
            Self::Directory(directory) => directory.list(path),
            Self::Edited(edited) => edited.list(path),
            Self::Staged(staged) => staged.now().list(path, most),
            Self::Watched(watched) => watched.list(path, most),
        };
        names.sort_unstable();
        names.dedup();
        names.truncate(most);
        names
    }

    /// The file for an HTTP request target in origin form: first one whose name is the whole target
    /// as sent, query included; then the one at the percent-decoded path without the query.
    ///
    /// # Errors
    /// Why there is nothing to serve; `Refused` too for a broken percent-escape.
    pub fn find_target(&self, target: &str) -> Result<File, Absent> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let decoded = percent_decoded(path.as_bytes()).ok_or(Absent::Refused)?;
        if query.is_some() && rooted(&decoded).is_ok() {
            let whole = target.trim_start_matches('/').as_bytes();
            if let Some(file) = self.named(whole) {
                return Ok(file);
            }
        }
        self.find(&decoded)
    }

    /// The file whose name is exactly this, query included.
    fn named(&self, whole: &[u8]) -> Option<File> {
        match self {
            Self::Tree(tree) => tree.files.get(whole).cloned(),
            // As `bootstorm content` writes such a file.
            Self::Directory(directory) => rooted(whole).and_then(|name| directory.read(name)).ok(),
            Self::Edited(edited) => edited.named(whole),
            Self::Staged(staged) => staged.now().named(whole),
            Self::Watched(watched) => watched.named(whole),
        }
    }
}

impl File {
    /// A file of these bytes, written when all generated files are.
    #[must_use]
    pub fn new(bytes: Arc<[u8]>) -> Self {
        let md5 = Md5::digest(&bytes).into();
        Self {
            bytes,
            md5,
            modified: GENERATED_AT,
        }
    }
}

impl Tree {
    /// Puts `bytes` at `path` in place of whatever was there; a leading `/` is left out. For HTTP a
    /// path may end in a query (`app?class=sip;mac_address=…`), written as the request target
    /// has it. An `Arc` is shared, not copied.
    ///
    /// # Errors
    /// `Refused` for a path that no request could ever reach: with a `..` segment or a zero byte.
    pub fn insert(
        &mut self,
        path: impl AsRef<[u8]>,
        bytes: impl Into<Arc<[u8]>>,
    ) -> Result<(), Absent> {
        let path = path.as_ref();
        let end = memchr_query(path);
        rooted(path.get(..end).unwrap_or(path))?;
        let start = path.iter().take_while(|byte| **byte == b'/').count();
        let name = path.get(start..).unwrap_or_default();
        self.files.insert(name.into(), File::new(bytes.into()));
        Ok(())
    }

    /// What is directly below `path`, which ends in a slash or is empty.
    fn list(&self, path: &[u8]) -> Vec<(String, Option<u64>)> {
        let below = self.files.iter().filter_map(|(name, file)| {
            let rest = name.strip_prefix(path)?;
            let end = rest.iter().position(|byte| *byte == b'/');
            let first = rest.get(..end.unwrap_or(rest.len()))?;
            let text = std::str::from_utf8(first).ok()?;
            let length = end.is_none().then_some(file.bytes.len() as u64);
            Some((text.to_owned(), length))
        });
        below.collect()
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// True when there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Every file with its path, sorted by path.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&[u8], &File)> {
        let mut files: Vec<_> = self
            .files
            .iter()
            .map(|(path, file)| (path.as_ref(), file))
            .collect();
        files.sort_unstable_by_key(|(path, _)| *path);
        files
    }
}

impl Directory {
    /// The directory at `path`, of which files up to `file_bytes_max` bytes are served.
    ///
    /// # Errors
    /// When there is no readable directory.
    pub fn open(path: &Path, file_bytes_max: u64) -> std::io::Result<Self> {
        let root = fs::canonicalize(path)?;
        fs::read_dir(&root)?;
        Ok(Self {
            root,
            file_bytes_max,
            cache: Mutex::default(),
        })
    }

    fn read(&self, path: &[u8]) -> Result<File, Absent> {
        let odd = |segment: &[u8]| segment.is_empty() || segment == b".";
        if path.split(|byte| *byte == b'/').any(odd) {
            return Err(Absent::Missing);
        }
        let place = self.root.join(Path::new(std::ffi::OsStr::from_bytes(path)));
        let place = fs::canonicalize(place).map_err(|fault| absence(&fault))?;
        if !place.starts_with(&self.root) {
            return Err(Absent::Refused);
        }
        // Never open what is not a regular file: opening a pipe would wait for its writer.
        let facts = fs::metadata(&place).map_err(|fault| absence(&fault))?;
        if !facts.is_file() {
            return Err(Absent::Missing);
        }
        if facts.len() > self.file_bytes_max {
            return Err(Absent::TooLarge);
        }
        let stamp = Stamp::of(&facts);
        if let Some(file) = self.cached(path, stamp) {
            return Ok(file);
        }
        let file = self.load(&place)?;
        self.keep(path, stamp, &file);
        Ok(file)
    }

    /// What is directly below `path`.
    fn list(&self, path: &[u8]) -> Vec<(String, Option<u64>)> {
        let place = self.root.join(Path::new(std::ffi::OsStr::from_bytes(path)));
        let place = fs::canonicalize(place).ok();
        let place = place.filter(|place| place.starts_with(&self.root));
        let entries = place.and_then(|place| fs::read_dir(place).ok());
        let names = entries.into_iter().flatten().filter_map(|entry| {
            let entry = entry.ok()?;
            let facts = entry.metadata().ok()?;
            let length = facts.is_file().then_some(facts.len());
            Some((entry.file_name().into_string().ok()?, length))
        });
        names.collect()
    }

    fn load(&self, place: &Path) -> Result<File, Absent> {
        let handle = fs::File::open(place).map_err(|fault| absence(&fault))?;
        let facts = handle.metadata().map_err(|fault| absence(&fault))?;
        let modified = u64::try_from(facts.mtime()).unwrap_or(0);
        let mut bytes = Vec::new();
        let limit = self.file_bytes_max.saturating_add(1);
        match handle.take(limit).read_to_end(&mut bytes) {
            Ok(length) if length as u64 > self.file_bytes_max => Err(Absent::TooLarge),
            Ok(_) => Ok(File {
                modified,
                ..File::new(bytes.into())
            }),
            Err(fault) => Err(absence(&fault)),
        }
    }

    fn cached(&self, path: &[u8], stamp: Stamp) -> Option<File> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, file) = cache.files.get(path)?;
        (*known == stamp).then(|| file.clone())
    }

    fn keep(&self, path: &[u8], stamp: Stamp, file: &File) {
        let length = file.bytes.len();
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if length > DIRECTORY_CACHE_BYTES_MAX {
            return;
        }
        if cache.bytes + length > DIRECTORY_CACHE_BYTES_MAX {
            cache.files.clear();
            cache.bytes = 0;
        }
        let before = cache.files.insert(path.into(), (stamp, file.clone()));
        cache.bytes += length;
        cache.bytes -= before.map_or(0, |(_, old)| old.bytes.len());
    }
}

impl Stamp {
    fn of(facts: &Metadata) -> Self {
        Self {
            inode: facts.ino(),
            length: facts.len(),
            modified: (facts.mtime(), facts.mtime_nsec()),
            changed: (facts.ctime(), facts.ctime_nsec()),
        }
    }
}

/// The path without leading slashes, if it stays within the root.
fn rooted(path: &[u8]) -> Result<&[u8], Absent> {
    let leads_out = |segment: &[u8]| segment == b"..";
    if path.contains(&0) || path.split(|byte| *byte == b'/').any(leads_out) {
        return Err(Absent::Refused);
    }
    let start = path.iter().take_while(|byte| **byte == b'/').count();
    Ok(path.get(start..).unwrap_or_default())
}

/// Where the query begins; the length when there is none.
fn memchr_query(path: &[u8]) -> usize {
    path.iter()
        .position(|byte| *byte == b'?')
        .unwrap_or(path.len())
}

/// The bytes that a percent-encoded path means; `None` for an escape without two hex digits.
pub(super) fn percent_decoded(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !path.contains(&b'%') {
        return Some(Cow::Borrowed(path));
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
        decoded.push(u8::try_from(value).ok()?);
    }
    Some(Cow::Owned(decoded))
}

fn absence(fault: &std::io::Error) -> Absent {
    use std::io::ErrorKind;
    match fault.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
            Absent::Missing
        }
        _ => Absent::Unreadable,
    }
}

#[cfg(test)]
mod tests;
