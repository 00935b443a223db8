//! Findings from what happened to a phone.

use std::net::Ipv4Addr;

use bootstorm_emulator::event::{EventKind, Fault, File, Limit, RunResult};
use bootstorm_emulator::profile::StepId;
use bootstorm_reports::words;

use super::found::{Findings, Severity};
use super::visit::Visit;
use super::{Subject, lines};

/// Where the judging of a boot is.
struct Judging<'a, 'b> {
    subject: &'a Subject,
    visit: &'a Visit<'b>,
    findings: &'a mut Findings,
    /// Files with the paths that they were had from; the last one is the one looked at.
    had: Vec<(File, String)>,
    /// How the last URL travels.
    scheme: String,
    nothing: bool,
}

/// Judges a boot.
pub(super) fn judge(
    plan: &bootstorm_scenarios::plan::Plan,
    subject: &Subject,
    visit: &Visit<'_>,
    findings: &mut Findings,
) {
    let transport = plan.fleet(&visit.phone).map(|fleet| fleet.transport);
    let mut judging = Judging {
        subject,
        visit,
        findings,
        had: Vec::new(),
        scheme: transport.map_or_else(String::new, |it| it.scheme().to_owned()),
        nothing: true,
    };
    for event in &visit.events {
        judging.event(event);
    }
    judging.names();
}

/// A step that fetches a file which the profile's walk does not ask for by itself.
fn is_named(step: StepId) -> bool {
    matches!(
        step,
        StepId::GIVEN
            | StepId::INCLUDE
            | StepId::RESOURCE
            | StepId::FIRMWARE
            | StepId::UPDATES
            | StepId::LINKED
            | StepId::CERTIFICATE
            | StepId::DOWNLOAD
    )
}

impl Judging<'_, '_> {
    fn event(&mut self, event: &EventKind) {
        match *event {
            EventKind::Candidate { url, .. } | EventKind::Redirected { url, .. } => {
                let text = self.visit.urls.text(url);
                if let Some((scheme, _)) = text.split_once("://") {
                    self.scheme = scheme.to_owned();
                }
            }
            EventKind::Fetched { file, md5, .. } => self.fetched(file, md5),
            EventKind::Missing { step, file } if is_named(step) => self.missing(file),
            EventKind::Wrong { step, fault } if is_named(step) || step.fetch_index().is_some() => {
                self.wrong(fault);
            }
            EventKind::GaveUp { step, fault } if is_named(step) => self.gave_up(fault),
            EventKind::LinesIgnored {
                file,
                reason,
                count,
                first_line,
            } => {
                let path = self.path(file);
                let group = lines::Group {
                    reason,
                    count,
                    first_line,
                };
                lines::ignored(self.visit, &path, group, self.findings);
            }
            EventKind::DocumentSkipped { file, fault } => {
                let path = self.path(file);
                self.unusable(&path, fault);
            }
            EventKind::ResourceRefused { file, fault } => {
                let path = self.path(file);
                self.unusable(&path, fault);
            }
            EventKind::FirmwareRefused { fault } => self.wrong(fault),
            // A documented number of attempts is no fault of the files.
            EventKind::LimitReached { limit, value } if limit != Limit::Attempts => {
                let what = format!("beyond a limit: {} ({value})", words::limit(limit));
                self.here(Severity::Warning, 0, what);
            }
            EventKind::Applied { file, .. } => {
                let path = self.path(file);
                self.applied(&path);
            }
            EventKind::RunEnded(result) => self.ended(result),
            _ => self.part(event),
        }
    }

    /// What became of a part of a document.
    fn part(&mut self, event: &EventKind) {
        match *event {
            EventKind::SectionRefused {
                section,
                fault,
                line,
            } => {
                let section = self.visit.urls.text(section).to_owned();
                let near = lines::near_section(self.visit, &section);
                let why = words::section_fault(fault);
                let what = format!("section {section} is refused: {why}{near}");
                self.here(Severity::Error, line, what);
            }
            EventKind::OperationSkipped { line, fault } => {
                let why = words::section_fault(fault);
                self.here(Severity::Error, line, format!("operation left out: {why}"));
            }
            EventKind::Tolerated { file, tolerance } => {
                let path = self.path(file);
                let what = format!("read all the same: {}", words::tolerance(tolerance));
                let model = Some(self.visit.model);
                self.findings
                    .add(Severity::Warning, (&path, 1), what, model);
            }
            EventKind::Imported { file, rejected, .. } if rejected > 0 => {
                let path = self.path(file);
                let what = format!("{rejected} rows are not taken over");
                let model = Some(self.visit.model);
                self.findings
                    .add(Severity::Warning, (&path, 0), what, model);
            }
            _ => {}
        }
    }

    fn fetched(&mut self, file: File, md5: [u8; 16]) {
        self.nothing = false;
        if let File::Named(name) = file
            && let Some((scheme, _)) = self.visit.urls.text(name).split_once("://")
        {
            self.scheme = scheme.to_owned();
        }
        if let Some(path) = self.visit.path(file, Some(md5)) {
            let path = path.to_owned();
            self.had.retain(|(held, _)| *held != file);
            self.had.push((file, path));
        }
    }

    /// The path of a file; its name where it was never had.
    fn path(&self, file: File) -> String {
        let held = self.had.iter().find(|(held, _)| *held == file);
        match held {
            Some((_, path)) => path.clone(),
            None => self.visit.name(file),
        }
    }

    /// The path of the file that came last.
    fn latest(&self) -> String {
        let last = self.had.last().map(|(_, path)| path.clone());
        let asked = || self.visit.asked.last().map(|asked| asked.path.clone());
        last.or_else(asked).unwrap_or_default()
    }

    fn here(&mut self, severity: Severity, line: u32, what: String) {
        let (path, model) = (self.latest(), Some(self.visit.model));
        self.findings.add(severity, (&path, line), what, model);
    }

    fn wrong(&mut self, fault: Fault) {
        let path = self.latest();
        self.unusable(&path, fault);
    }

    /// A file that came and is of no use.
    fn unusable(&mut self, path: &str, fault: Fault) {
        let line = lines::of_fault(self.visit, path, fault);
        let why = words::fault_text(fault);
        let what = match fault {
            Fault::WrongFormat => format!("{why}: the model does not read such a file here"),
            Fault::Encrypted => format!("{why}: the fleet has no key for it"),
            Fault::WrongKey | Fault::BadCiphertext => {
                format!("{why}: it does not open with the key of the fleet")
            }
            Fault::ChecksumMismatch => {
                format!("{why}: the checksum file is of another version of this file")
            }
            Fault::ForeignDocument => format!("{why}: made for another product or phone"),
            _ => why,
        };
        let (model, place) = (Some(self.visit.model), (path, line));
        self.findings
            .add_of_kind(Severity::Error, place, what, model);
    }

    /// A file that something names is not there.
    fn missing(&mut self, file: File) {
        let name = self.visit.name(file);
        let path = self.visit.path(file, None).unwrap_or(&name).to_owned();
        let model = Some(self.visit.model);
        let other = self.subject.in_another_case(&path);
        let what = match other {
            Some(other) => format!("names {path}, which is there as {other} only"),
            None => format!("names {path}, which is not there"),
        };
        match self.referring(&path) {
            Some((from, line)) => {
                self.findings
                    .add(Severity::Error, (&from, line), what, model);
            }
            None => {
                let what = "phones are told this name, and there is no such file".to_owned();
                self.findings.add(Severity::Error, (&path, 0), what, model);
            }
        }
    }

    /// Where a file's name stands: with as much of its path as can be.
    fn referring(&self, path: &str) -> Option<(String, u32)> {
        let path = path.split('?').next().unwrap_or_default();
        let starts = path.match_indices('/').map(|(at, _)| at + 1);
        let names = [0].into_iter().chain(starts);
        let mut names = names.filter_map(|at| path.get(at..));
        names.find_map(|name| {
            let spaced = name.replace(' ', "%20");
            let holds =
                |line: &str| !name.is_empty() && (line.contains(name) || line.contains(&spaced));
            let found = self.visit.line_where(holds);
            found.map(|(file, line)| (file.to_owned(), line))
        })
    }

    /// A link that leads nowhere, or elsewhere.
    fn gave_up(&mut self, fault: Fault) {
        let elsewhere = match fault {
            Fault::UnknownHost
            | Fault::Silence
            | Fault::ConnectionRefused
            | Fault::ConnectionBroken
            | Fault::Local => true,
            Fault::BadTarget | Fault::Scheme => false,
            _ => return,
        };
        let why = words::fault_text(fault);
        let model = Some(self.visit.model);
        let fits = |line: &str| {
            let odd = |host: &str, scheme: &str| {
                if elsewhere {
                    !self.is_known(host)
                } else {
                    !["tftp", "ftp", "http", "https"].contains(&scheme)
                }
            };
            hosts(line).any(|(scheme, host)| odd(host, scheme))
        };
        let place = self.visit.line_where(fits);
        // Another source's host, which no file names, is none of theirs.
        if place.is_none() && elsewhere {
            return;
        }
        let (severity, what) = match (&place, elsewhere) {
            (Some(_), true) => (
                Severity::Warning,
                format!("leads to another server, which was not read ({why})"),
            ),
            _ => (Severity::Error, format!("a link cannot be followed: {why}")),
        };
        let latest = self.latest();
        let (path, line) = place.unwrap_or((&latest, 0));
        self.findings.add(severity, (path, line), what, model);
    }

    fn is_known(&self, host: &str) -> bool {
        let plan = self.visit.plan;
        let hosts = plan.hosts();
        host == plan.server.to_string() || hosts.get(host).is_some_and(is_reachable)
    }

    /// A file took effect.
    fn applied(&mut self, path: &str) {
        let visit = self.visit;
        self.findings.read_by(path, visit.model);
        lines::near_misses(visit, path, self.findings);
        if !matches!(self.scheme.as_str(), "tftp" | "ftp" | "http") {
            return;
        }
        if let Some((key, line)) = lines::secret(visit, path) {
            let scheme = &self.scheme;
            let what = format!("a secret ({key}) goes over the network as it is, by {scheme}");
            self.findings
                .add_of_kind(Severity::Warning, (path, line), what, Some(visit.model));
        }
    }

    fn ended(&mut self, result: RunResult) {
        let model = Some(self.visit.model);
        let names: Vec<_> = self.visit.asked.iter().map(|it| it.path.as_str()).collect();
        match result {
            RunResult::NothingFetched if self.nothing => {
                let first = names.first().copied().unwrap_or_default();
                let others = names.get(1..).unwrap_or_default();
                let others: Vec<_> = others.iter().take(8).copied().collect();
                let also = if others.is_empty() {
                    String::new()
                } else {
                    format!(", nor {}", others.join(", "))
                };
                let what = format!("is not there{also}: the phone finds none of its files");
                self.findings.add(Severity::Error, (first, 0), what, model);
            }
            RunResult::NoCandidate => {
                let what = "the phone learns no URL: its fleet's source is off".to_owned();
                self.findings.add(Severity::Error, ("", 0), what, model);
            }
            _ => {}
        }
    }

    /// Names that were asked for in vain and are there in another case.
    fn names(&mut self) {
        for asked in self.visit.asked.iter().filter(|asked| asked.found.is_err()) {
            if let Some(other) = self.subject.in_another_case(&asked.path) {
                let what = format!("asked for as {}: the case of letters counts", asked.path);
                let model = Some(self.visit.model);
                self.findings.add(Severity::Error, (&other, 0), what, model);
            }
        }
    }
}

fn is_reachable(address: &Ipv4Addr) -> bool {
    !address.is_unspecified()
}

/// Scheme and host of each URL in a line.
fn hosts(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.match_indices("://").map(|(at, _)| {
        let (before, after) = line.split_at(at);
        let scheme = before.rsplit(|letter: char| !letter.is_ascii_alphanumeric());
        let after = after.get(3..).unwrap_or_default();
        let host = after
            .split(['/', '?', '"', '<', '>', ' ', '\t'])
            .next()
            .unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default();
        (scheme.into_iter().next().unwrap_or_default(), host)
    })
}
