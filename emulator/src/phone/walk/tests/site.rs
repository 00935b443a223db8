//! A server of a few files, and the phone that asks it.

use crate::event::{EventKind, File};
use crate::phone::io::{Connection, Input, WebAction};
use crate::phone::stand::Stand;
use crate::profile::Param;

const LINES: &str = r#"
model = "X6"
[params]
server_url = { default = "" }
second_server_url = { default = "" }
download_common = { default = true }
device_key = { default = "" }
common_key = { default = "" }
keys_swapped = { default = false }
version_decides = { default = false }
[markers]
"$mac" = "{mac}"
[timers]
between_files_min_ms = 1
between_files_max_ms = 2
[discovery]
order = ["profile-rule"]
[encryption]
cipher = "ecb"
[walk]
classify = "beside"
order = ["general", "own"]
tasks_pause_ms = 10_000
[fetches.general]
name = "F0.cfg"
format = "key-value"
enabled_by = ["download_common"]
key = "common_key"
beside_next = true
found = "own"
missing = "own"
[fetches.own]
name = "{mac}.cfg"
name_from_url = true
key = "device_key"
format = "key-value"
skip_same = true
found = "end"
missing = "end"
[firmware_rule]
version = "digest"
image_name = "{model:lower}{version}.z"
[tasks.image]
setting = "auto.image"
holds = "firmware"
suffixes = ["z"]
[tasks.book]
setting = ["auto.book", "auto.pbook"]
holds = "phonebook"
suffixes = ["xml", "vcf", "csv"]
[tasks.etc]
setting = "auto.etc"
holds = "certificate"
suffixes = ["bin", "crt", "key", "ovpn", "xml", "pem"]
[tasks.logo]
setting = "auto.logo"
holds = "background"
suffixes = ["bmp"]
base_name = "background"
[tasks.mmiset]
setting = "auto.mmiset"
holds = "mmiset"
suffixes = ["z"]
[tasks.rules]
setting = "auto.rules"
holds = "dial-rules"
suffixes = ["csv"]
base_name = "dialPeer"
[tasks.access]
setting = "auto.access"
holds = "access-list"
suffixes = ["csv"]
base_name = "accessList"
"#;

/// A phone that is told this URL.
pub(super) fn phone(url: &str) -> Stand {
    phone_with(&[(Param::ServerUrl, url)])
}

/// A phone with these fields.
pub(super) fn phone_with(fields: &[(Param, &str)]) -> Stand {
    phone_of("", fields)
}

/// A phone with these lines more in its profile.
pub(super) fn phone_of(lines: &str, fields: &[(Param, &str)]) -> Stand {
    let mut stand = Stand::new(&format!("{LINES}{lines}"));
    for (param, value) in fields {
        stand = stand.web(*param, value);
    }
    stand
}

/// A phone of module files with these fields.
pub(super) fn modules_phone(fields: &[(Param, &str)]) -> Stand {
    let lines = LINES.replace("\"key-value\"", "\"module-text\"");
    let rules = "[keys.rules.modules]\npatterns = [\"global.*\"]\n";
    let stand = Stand::new(&format!("{lines}{rules}"));
    fields
        .iter()
        .fold(stand, |stand, (param, value)| stand.web(*param, value))
}

/// Another run.
pub(super) fn again(stand: &mut Stand, site: &mut Site) {
    stand.events.clear();
    site.asked.clear();
    stand.input(Input::Web(WebAction::Start));
    site.serve(stand);
}

/// The files that were applied, in order.
pub(super) fn applied(stand: &Stand) -> Vec<File> {
    let events = stand.events.iter();
    let files = events.filter_map(|kind| match kind {
        EventKind::Applied { file, .. } => Some(*file),
        _ => None,
    });
    files.collect()
}

/// The path of an HTTP request.
pub(super) fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or_default()
}

/// A server.
#[derive(Default)]
pub(super) struct Site {
    files: Vec<(String, Vec<u8>)>,
    /// Paths that were asked for, in order.
    pub(super) asked: Vec<String>,
    /// When each was, in whole milliseconds.
    pub(super) at: Vec<u64>,
    /// Paths that are never answered.
    pub(super) silent: Vec<String>,
    /// Paths that are elsewhere.
    pub(super) moved: Vec<(String, String)>,
    /// The `Authorization` that every request must have.
    pub(super) locked: Option<String>,
    /// Of requests at hand the last one is answered first.
    pub(super) last_first: bool,
    /// Connections that it closed.
    pub(super) hung_up: Vec<Connection>,
    /// Where the last request came in.
    pub(super) last: Option<Connection>,
    greeted: Vec<Connection>,
}

impl Site {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let mut site = Self::default();
        for (path, text) in files {
            site.put(path, text.as_bytes());
        }
        site
    }

    pub(super) fn put(&mut self, path: &str, bytes: &[u8]) {
        self.files.retain(|(held, _)| held != path);
        self.files.push((path.to_owned(), bytes.to_vec()));
    }

    /// Answers until the run under way is over.
    pub(super) fn serve(&mut self, stand: &mut Stand) {
        self.until(stand, |stand: &Stand| {
            let events = stand.events.iter();
            let ends = events.filter(|kind| matches!(kind, EventKind::RunEnded(_)));
            let starts = stand.events.iter();
            let starts = starts.filter(|kind| matches!(kind, EventKind::RunStarted(_)));
            let starts = starts.count();
            starts > 0 && ends.count() >= starts
        });
    }

    /// Answers until something is so.
    pub(super) fn until(&mut self, stand: &mut Stand, over: impl Fn(&Stand) -> bool) {
        for _ in 0..10_000 {
            if over(stand) {
                return;
            }
            if !self.answer(stand) {
                stand.tick();
            }
        }
        panic!("a run without end: {:?}", stand.events);
    }

    /// Takes in what there is; false when there was nothing.
    pub(super) fn answer(&mut self, stand: &mut Stand) -> bool {
        let opened = stand.opened.iter().map(|(id, _)| *id);
        let fresh = opened.filter(|id| !self.greeted.contains(id));
        let fresh: Vec<Connection> = fresh.collect();
        self.greeted.extend(&fresh);
        for connection in &fresh {
            stand.input(Input::Opened(*connection));
        }
        let mut requests = stand.take_written();
        for (connection, request) in &requests {
            self.last = Some(*connection);
            self.asked.push(path(request).to_owned());
            self.at.push(stand.now.nanos() / 1_000_000);
        }
        if self.last_first {
            requests.reverse();
        }
        for (connection, request) in &requests {
            if let Some(bytes) = self.response(request) {
                stand.input(Input::Bytes(*connection, &bytes));
            }
        }
        !fresh.is_empty() || !requests.is_empty()
    }

    fn response(&self, request: &str) -> Option<Vec<u8>> {
        let path = path(request);
        if self.silent.iter().any(|silent| silent == path) {
            return None;
        }
        if let Some((_, to)) = self.moved.iter().find(|(from, _)| from == path) {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            return Some(head.into_bytes());
        }
        let locked = self.locked.as_deref();
        if locked.is_some_and(|word| !request.contains(word)) {
            let field = "WWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
            return Some(format!("HTTP/1.1 401 No\r\n{field}").into_bytes());
        }
        let file = self.files.iter().find(|(held, _)| held == path);
        let (status, body) = file.map_or(("404 No", &b""[..]), |(_, body)| ("200 OK", body));
        let length = body.len();
        let mut bytes =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        bytes.extend_from_slice(body);
        Some(bytes)
    }
}
