//! Profiles from TOML: the chain of `inherits`, every fault at once, cross checks, ladder steps.
//!
//! A profile is the file `vendor/model.toml`; it may inherit from another one or from
//! `vendor/vendor.toml`, which is named by the vendor alone. Tables are merged key by key, lists
//! and single values are replaced. `false` in the place of an optional table takes it away.

mod accounts;
mod clients;
mod content;
mod cwmp;
mod params;
mod prompt;
pub(super) mod sections;
mod sources;
mod tasks;
mod walk;

use std::collections::BTreeMap;

use super::set::Overlay;
use super::template::Template;
use super::{
    DhcpSpec, FirmwareChoice, FirmwareRule, FirmwareVersion, ParamSpec, PnpSpec, Profile, Source,
    SourceKind, Step, StepId, Timers,
};
use crate::format::FormatOptions;
use crate::limits;
use crate::located::{Faults, Log, Node, Reader, Slot, nearest};

/// Files in one chain of `inherits`.
pub const INHERITS_MAX: usize = 8;
/// The file of a directory that holds what its profiles share.
const VENDOR_FILE: &str = "vendor";

/// Profile files by name, not yet read.
#[derive(Debug, Clone, Default)]
pub struct Library {
    files: BTreeMap<String, File>,
}

#[derive(Debug, Clone)]
struct File {
    /// As faults call it.
    path: String,
    text: String,
    is_model: bool,
}

impl Library {
    /// Adds a file; one of the same name is replaced. `path` ends in `vendor/model.toml`; only
    /// these last two parts count, and they consist of small letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// A path of another shape.
    pub fn add(&mut self, path: &str, text: &str) -> Result<(), Faults> {
        let Some((vendor, model)) = name_parts(path) else {
            let log = Log::default();
            let tree = Node::parse(path, "", &log);
            let message = "profile file is not named vendor/model.toml in small letters, \
                           digits, '-' and '_'";
            log.note(tree.span.place(), message);
            return Err(log.into_faults());
        };
        let is_model = model != VENDOR_FILE;
        let name = if is_model {
            format!("{vendor}/{model}")
        } else {
            vendor.to_owned()
        };
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
            is_model,
        };
        self.files.insert(name, file);
        Ok(())
    }

    /// The names of all profiles, sorted.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let models = self.files.iter().filter(|(_, file)| file.is_model);
        models.map(|(name, _)| name.as_str())
    }

    /// Reads and checks a profile.
    ///
    /// # Errors
    /// Everything that is wrong with it and with the files it inherits from; nothing at all if
    /// there is no such profile.
    pub fn load(&self, name: &str) -> Result<Profile, Faults> {
        let log = Log::default();
        let profile = self.tree(name, &log).and_then(|tree| {
            let root = Reader::new(&tree, &log);
            read(name, &root)
        });
        let faults = log.into_faults();
        match profile {
            Some(profile) if faults.is_empty() => Ok(profile),
            _ => Err(faults),
        }
    }

    /// Reads and checks a profile with these laid over it, in their order.
    ///
    /// # Errors
    /// As `load`; a key to be taken out that the profile does not have.
    pub fn load_under(&self, name: &str, overlays: &[Overlay<'_>]) -> Result<Profile, Faults> {
        let log = Log::default();
        let profile = self.tree(name, &log).and_then(|mut tree| {
            for overlay in overlays {
                for key in overlay.removed {
                    if !tree.remove(key) {
                        let what = format!("profile {name} has no key '{key}' to take out");
                        log.note(overlay.place.clone(), what);
                    }
                }
                if let Some(over) = overlay.over {
                    tree = over.clone().inherit(tree);
                }
            }
            let root = Reader::new(&tree, &log);
            read(name, &root)
        });
        let faults = log.into_faults();
        match profile {
            Some(profile) if faults.is_empty() => Ok(profile),
            _ => Err(faults),
        }
    }

    /// The file laid over all those it inherits from.
    fn tree(&self, name: &str, log: &Log) -> Option<Node> {
        let mut names = vec![name];
        let file = self.files.get(name)?;
        let mut layers = vec![Node::parse(&file.path, &file.text, log)];
        while let Some(parent) = layers.last().and_then(|child| child.get("inherits")) {
            let Some(parent_name) = parent.text() else {
                // Reported when the merged tree is read.
                log.incomplete();
                break;
            };
            let known = self.files.get_key_value(parent_name);
            let wrong = match known {
                None => Some(self.unknown_parent(parent_name)),
                Some(_) if names.contains(&parent_name) => {
                    let chain = names.join(" → ");
                    Some(format!(
                        "'inherits' goes in a circle: {chain} → {parent_name}"
                    ))
                }
                Some(_) if names.len() >= INHERITS_MAX => {
                    Some(format!("'inherits' goes deeper than {INHERITS_MAX} files"))
                }
                Some(_) => None,
            };
            if let Some(wrong) = wrong {
                log.note(parent.span.place(), wrong);
                log.incomplete();
                break;
            }
            let (known_name, file) = known?;
            names.push(known_name);
            layers.push(Node::parse(&file.path, &file.text, log));
        }
        let mut merged = layers.pop()?;
        while let Some(child) = layers.pop() {
            merged = child.inherit(merged);
        }
        Some(merged)
    }

    fn unknown_parent(&self, name: &str) -> String {
        let known = self.files.keys().map(String::as_str);
        match nearest(name, known) {
            Some(near) => format!("unknown parent '{name}' (did you mean '{near}'?)"),
            None => format!("unknown parent '{name}' (expected a vendor or vendor/model)"),
        }
    }
}

fn name_parts(path: &str) -> Option<(&str, &str)> {
    let word = |word: &&str| {
        let mut letters = word.bytes();
        !word.is_empty()
            && letters.all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    };
    let mut parts = path.strip_suffix(".toml")?.rsplit(['/', '\\']);
    let model = parts.next().filter(word)?;
    let vendor = parts.next().filter(word)?;
    Some((vendor, model))
}

/// Reads the merged tree; `None` when a whole table is missing, which is noted.
fn read(name: &str, root: &Reader<'_>) -> Option<Profile> {
    let _ = root.may("inherits").text();
    let vendor = line(&root.need("vendor"));
    let model = line(&root.need("model"));
    let oem = oem(&root.may("oem"), &vendor);
    let dhcp = clients::dhcp(&root.need("dhcp"));
    let pnp = clients::pnp(&root.may("pnp"));
    let walk = walk::walk(root);
    let tasks = tasks::tasks(root, walk.tasks_pause);
    let mdns = clients::mdns(&root.may("mdns"));
    let (sources, params) = finders(root, dhcp.as_ref(), pnp.as_ref(), mdns.is_some());
    let clock = sources::clock(root, dhcp.as_ref());
    let limits = params::index_limits(&root.may("index_limits"));
    let prompt = prompt::prompt(&root.may("prompt"));
    let sip = clients::sip(&root.need("sip"));
    let tftp = clients::tftp(&root.need("tftp"));
    let ftp = clients::ftp(&root.may("ftp"));
    let http = clients::http(&root.need("http"));
    let accounts = accounts::accounts(root, &limits);
    let firmware_rule = firmware_rule(&root.need("firmware_rule"));
    let mut profile = Profile {
        name: name.to_owned(),
        vendor,
        model,
        oem,
        summary: line(&root.need("summary")),
        unverified: unverified(&root.may("unverified")),
        ouis: ouis(&root.need("ouis")),
        firmware: line(&root.need("firmware")),
        product: product(&root.may("product")),
        serial: one_line_template(&root.need("serial")),
        markers: markers(&root.may("markers")),
        sections: sections::sections(&root.may("sections")),
        timers: timers(&root.need("timers")),
        format: format_options(&root.may("format")),
        keys: params::key_rules(root, &limits, &params, &tasks),
        cwmp: cwmp::cwmp(root, accounts.as_ref()),
        accounts,
        content: content::content(&root.need("content"), &walk.fetches),
        steps: Vec::new(),
        params,
        dhcp: dhcp?,
        pnp: pnp?,
        mdns,
        prompt,
        sip: sip?,
        tftp: tftp?,
        ftp: ftp?,
        http: http?,
        sources_end: sources.end,
        sources_fixed: sources.fixed,
        clock,
        sources: sources.list,
        classify: walk.classify,
        given: walk.given,
        fetches: walk.fetches,
        cipher: tasks::cipher(&root.may("encryption")),
        tasks,
        change: walk.change,
        apply: walk.apply,
        firmware_rule: firmware_rule?,
    };
    check_version_file(&root.need("firmware_rule"), &profile);
    tasks::check(root, &profile);
    profile.steps = steps(root, &profile);
    Some(profile)
}

/// Whose product it is sold as: the vendor's own where the file says nothing.
fn oem(slot: &Slot<'_>, vendor: &str) -> String {
    if slot.is_given() {
        line(slot)
    } else {
        vendor.to_owned()
    }
}

/// The sources, and the parameters that they go by.
fn finders(
    root: &Reader<'_>,
    dhcp: Option<&DhcpSpec>,
    pnp: Option<&Option<PnpSpec>>,
    mdns: bool,
) -> (sources::Sources, Vec<ParamSpec>) {
    let clients = sources::Clients {
        dhcp,
        pnp: pnp.map(Option::is_some),
        mdns,
    };
    let sources = sources::sources(root, clients);
    let params = params::params(&root.need("params"));
    sources::check_url_option(root, &sources.list, &params);
    (sources, params)
}

/// A text of one line that is not empty.
fn line(slot: &Slot<'_>) -> String {
    let expected = "a text of one line, not empty";
    slot.parsed(expected, |text| is_line(text).then(|| text.to_owned()))
        .unwrap_or_default()
}

/// What documents call the model, where they say it.
fn product(slot: &Slot<'_>) -> String {
    if slot.is_given() {
        line(slot)
    } else {
        String::new()
    }
}

/// Named sentences, so that a model can add its own to those of its vendor.
fn unverified(slot: &Slot<'_>) -> Vec<String> {
    let table = slot.table();
    let entries = table.iter().flat_map(Reader::entries);
    entries.map(|(_, sentence)| line(&sentence)).collect()
}

fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

/// A template without control characters: it goes into headers, requests and file names.
fn one_line_template(slot: &Slot<'_>) -> Template {
    let Some(template) = slot.template() else {
        return Template::default();
    };
    if template.source().chars().any(char::is_control) {
        slot.unexpected("a template of one line");
    }
    template
}

/// The clause ids under `clauses`.
fn clauses(table: &Reader<'_>) -> Vec<String> {
    clause_list(&table.may("clauses"))
}

fn clause_list(slot: &Slot<'_>) -> Vec<String> {
    let items = slot.list();
    items
        .iter()
        .filter_map(|item| {
            item.parsed("a clause id such as ABC-12", |text| {
                is_clause(text).then(|| text.to_owned())
            })
        })
        .collect()
}

fn is_clause(text: &str) -> bool {
    let within = |part: &str, range: std::ops::RangeInclusive<usize>, kind: fn(&u8) -> bool| {
        range.contains(&part.len()) && part.bytes().all(|byte| kind(&byte))
    };
    text.split_once('-').is_some_and(|(document, number)| {
        within(document, 2..=8, u8::is_ascii_uppercase) && within(number, 1..=4, u8::is_ascii_digit)
    })
}

fn ouis(slot: &Slot<'_>) -> Vec<[u8; 3]> {
    let items = slot.list();
    if slot.is_given() && items.is_empty() {
        slot.fault("'ouis' is empty (expected at least one MAC prefix)");
    }
    items
        .iter()
        .filter_map(|item| item.parsed("a MAC prefix such as 00:21:f2, not multicast", oui))
        .collect()
}

/// `00:21:f2`, `00-21-F2` or `0021f2`; a group address (lowest bit of the first byte) is no
/// phone's.
fn oui(text: &str) -> Option<[u8; 3]> {
    let digits: String = match text.len() {
        6 => text.to_owned(),
        8 => text
            .split([':', '-'])
            .map(|pair| if pair.len() == 2 { pair } else { "?" })
            .collect(),
        _ => return None,
    };
    if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(&digits, 16).ok()?;
    let [_, a, b, c] = number.to_be_bytes();
    (a & 1 == 0).then_some([a, b, c])
}

fn markers(slot: &Slot<'_>) -> Vec<(String, Template)> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let entries = table.entries();
    entries
        .map(|(entry, value)| {
            if !is_line(&entry.key) {
                value.fault("a marker is empty or has control characters");
            }
            (entry.key.clone(), one_line_template(&value))
        })
        .collect()
}

fn timers(slot: &Slot<'_>) -> Timers {
    let Some(table) = slot.table() else {
        return Timers::default();
    };
    let time = |key: &str| table.need(key).duration().unwrap_or_default();
    let timers = Timers {
        boot: time("boot_ms"),
        soft_reboot: time("soft_reboot_ms"),
        install: time("install_ms"),
        between_files_min: time("between_files_min_ms"),
        between_files_max: time("between_files_max_ms"),
    };
    let _ = clauses(&table);
    if timers.between_files_min > timers.between_files_max {
        let longest = table.need("between_files_max_ms");
        longest.fault("'timers.between_files_max_ms' is less than 'between_files_min_ms'");
    }
    timers
}

fn format_options(slot: &Slot<'_>) -> FormatOptions {
    let Some(table) = slot.table() else {
        return FormatOptions::default();
    };
    let switch = |key: &str| table.may(key).switch().unwrap_or_default();
    let options = FormatOptions {
        quoted: switch("quoted"),
        empty_clears: switch("empty_clears"),
        nested_boot: switch("nested_boot"),
        root_queries: switch("root_queries"),
        seal: None,
    };
    let _ = clauses(&table);
    options
}

fn firmware_rule(slot: &Slot<'_>) -> Option<FirmwareRule> {
    let table = slot.table()?;
    let words = [
        (FirmwareVersion::FileName, "file-name"),
        (FirmwareVersion::VersionFile, "version-file"),
        (FirmwareVersion::Listed, "listed"),
        (FirmwareVersion::Digest, "digest"),
    ];
    let choices = [
        (FirmwareChoice::Different, "different"),
        (FirmwareChoice::NewerWhenEnabled, "newer-when-enabled"),
    ];
    Some(FirmwareRule {
        version: table
            .need("version")
            .word(&words)
            .unwrap_or(FirmwareVersion::FileName),
        choose: table
            .may("choose")
            .word(&choices)
            .unwrap_or(FirmwareChoice::Different),
        image_name: one_line_template(&table.need("image_name")),
        clauses: clauses(&table),
    })
}

fn check_version_file(slot: &Slot<'_>, profile: &Profile) {
    let mut formats = profile.fetches.iter().map(|fetch| fetch.format);
    let fetched = formats.any(|format| format == crate::format::Format::Version);
    if profile.firmware_rule.version == FirmwareVersion::VersionFile && !fetched {
        slot.fault("the version comes from a version file, but no fetch has format version");
    }
}

/// The ladder steps: the common ones, then one for each fetch. `[step_clauses]` gives the common
/// ones their clauses; without it they have those of the part that they belong to.
fn steps(root: &Reader<'_>, profile: &Profile) -> Vec<Step> {
    let pnp = profile.pnp.as_ref().map(|pnp| pnp.clauses.as_slice());
    let pnp = pnp.unwrap_or_default();
    let dhcp = profile.dhcp.clauses.as_slice();
    let clock = profile.clock.as_ref().map(|clock| clock.clauses.as_slice());
    let clock = clock.unwrap_or_default();
    let redirect = |source: &&Source| matches!(source.kind, SourceKind::Redirect(_));
    let redirect = profile.sources.iter().find(redirect);
    let redirect = redirect.map_or(&[][..], |source| &source.clauses);
    let mdns = profile.mdns.as_ref();
    let mdns = mdns.map_or(&[][..], |mdns| &mdns.clauses);
    let prompt = profile.prompt.as_ref();
    let prompt = prompt.map_or(&[][..], |prompt| &prompt.clauses);
    let accounts = profile.accounts.as_ref();
    let register = accounts.map_or(&[][..], |accounts| &accounts.clauses);
    let common: [(&str, &str, &[String]); StepId::FIRST_FETCH as usize] = [
        ("DISCOVER", "discover", dhcp),
        ("REQUEST", "request", dhcp),
        ("renew", "renew", dhcp),
        ("SUBSCRIBE", "subscribe", pnp),
        ("NOTIFY", "notify", pnp),
        ("given file", "given", &[]),
        ("include", "include", &[]),
        ("resource", "resource", &[]),
        ("firmware", "firmware", &profile.firmware_rule.clauses),
        ("settled", "settled", &[]),
        ("SNTP", "clock", clock),
        ("redirect service", "redirect", redirect),
        ("REGISTER", "register", register),
        ("updates", "updates", &[]),
        ("linked file", "linked", &[]),
        ("certificate", "certificate", &[]),
        ("mDNS query", "mdns", mdns),
        ("prompt", "prompt", prompt),
        ("Inform", "inform", &[]),
        ("ACS", "acs", &[]),
        ("download", "download", &[]),
    ];
    let table = root.may("step_clauses").table();
    let own = |key: &str| {
        let slot = table.as_ref().map(|table| table.may(key));
        slot.filter(Slot::is_given).map(|slot| clause_list(&slot))
    };
    let common = common.into_iter().map(|(label, key, clauses)| Step {
        label: label.to_owned(),
        clauses: own(key).unwrap_or_else(|| clauses.to_vec()),
    });
    let fetches = profile.fetches.iter().map(|fetch| Step {
        label: fetch.label.clone(),
        clauses: fetch.clauses.clone(),
    });
    common.chain(fetches).collect()
}

/// A list of header fields, each `Name: value`.
fn headers(slot: &Slot<'_>) -> Vec<(String, Template)> {
    let items = slot.list();
    if items.len() > limits::HEADERS_MAX {
        let most = limits::HEADERS_MAX;
        slot.fault(format!("'{}' has more than {most} fields", slot.name()));
    }
    items.iter().filter_map(header).collect()
}

fn header(slot: &Slot<'_>) -> Option<(String, Template)> {
    let expected = "a header field such as 'Accept: */*'";
    let (name, value) = slot.parsed(expected, |text| {
        let (name, value) = text.split_once(':')?;
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let whole = !name.is_empty() && name.bytes().all(is_token);
        let safe = !value.chars().any(char::is_control);
        (whole && safe).then(|| (name.to_owned(), value.trim_start().to_owned()))
    })?;
    match Template::parse(&value) {
        Ok(template) => Some((name, template)),
        Err(fault) => {
            let before = slot.text().map_or(0, |text| text.len() - value.len());
            slot.fault_at(
                before + fault.at,
                format!("'{}': {}", slot.name(), fault.what),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests;
