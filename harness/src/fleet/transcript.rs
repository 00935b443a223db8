//! Events as lines of text: `12.345678 0021f2000001 flyingvoice/fip13g sent 0021f2000001.cfg …`.
//! Equal runs give equal bytes.

mod told;

use std::io::Write as _;

use bootstorm_emulator::event::{Event, EventKind, File};
use bootstorm_emulator::names::Names;
use bootstorm_emulator::profile::{Profile, SourceId, StepId};
use bootstorm_reports::words;
use bootstorm_scenarios::plan::{PhonePlan, Plan};

/// Appends the line of one event.
pub fn write(lines: &mut Vec<u8>, plan: &Plan, planned: &PhonePlan, urls: &Names, event: &Event) {
    let nanos = event.at.nanos();
    let (seconds, micros) = (nanos / 1_000_000_000, nanos / 1_000 % 1_000_000);
    let profile = plan.profile(planned);
    let name = profile.map_or("", |profile| profile.name.as_str());
    let text = profile.map_or_else(String::new, |profile| {
        Teller {
            plan,
            planned,
            profile,
            urls,
        }
        .tell(&event.kind)
    });
    // Writing into a vector cannot fail.
    let _ = writeln!(
        lines,
        "{seconds}.{micros:06} {} {name} {text}",
        planned.identity.mac
    );
}

/// The text of one event, as the log and the ladder print it.
#[must_use]
pub fn tell(plan: &Plan, planned: &PhonePlan, urls: &Names, kind: &EventKind) -> String {
    plan.profile(planned).map_or_else(String::new, |profile| {
        Teller {
            plan,
            planned,
            profile,
            urls,
        }
        .tell(kind)
    })
}

/// The name of a file, as the phone requested it.
#[must_use]
pub fn file_name(plan: &Plan, planned: &PhonePlan, urls: &Names, file: File) -> String {
    plan.profile(planned).map_or_else(String::new, |profile| {
        Teller {
            plan,
            planned,
            profile,
            urls,
        }
        .file(file)
    })
}

struct Teller<'a> {
    plan: &'a Plan,
    planned: &'a PhonePlan,
    profile: &'a Profile,
    urls: &'a Names,
}

impl Teller<'_> {
    fn tell(&self, kind: &EventKind) -> String {
        match *kind {
            EventKind::Booting(cause) => format!("booting: {}", words::boot_cause(cause)),
            EventKind::SoftRebooting => "soft reboot".to_owned(),
            EventKind::PowerCut => "power cut".to_owned(),
            EventKind::Sent { .. }
            | EventKind::Retried { .. }
            | EventKind::Answered { .. }
            | EventKind::Missing { .. }
            | EventKind::Wrong { .. }
            | EventKind::Late { .. }
            | EventKind::GaveUp { .. }
            | EventKind::Challenged { .. }
            | EventKind::Redirected { .. }
            | EventKind::Fetched { .. } => self.tell_step(kind),
            EventKind::Leased { .. }
            | EventKind::LeaseRefused
            | EventKind::AddressTaken(_)
            | EventKind::LeaseLost
            | EventKind::LeaseReleased
            | EventKind::Candidate { .. }
            | EventKind::NoCandidate { .. } => self.tell_discovery(kind),
            EventKind::RunStarted(trigger) => format!("run started: {}", words::trigger(trigger)),
            EventKind::TriggerDeferred(trigger) => {
                format!("trigger remembered: {}", words::trigger(trigger))
            }
            EventKind::TriggerIgnored(trigger) => {
                format!("trigger ignored: {}", words::trigger(trigger))
            }
            EventKind::Delayed { until } => {
                format!("waits until {:.3} s", until.nanos() as f64 / 1e9)
            }
            EventKind::SipAnswered { status } => format!("answered SIP with {status}"),
            EventKind::RunEnded(result) => format!("run ended: {}", words::run_result(result)),
            EventKind::Settled => "settled".to_owned(),
            EventKind::LimitReached { limit, value } => {
                format!("limit reached: {} ({value})", words::limit(limit))
            }
            EventKind::TimeSet { .. }
            | EventKind::Registered { .. }
            | EventKind::RegistrationFailed { .. }
            | EventKind::SenderRefused { .. } => tell_service(kind),
            EventKind::Prompted(_)
            | EventKind::PromptAnswered(_)
            | EventKind::PromptAbandoned(_)
            | EventKind::SessionStarted(_)
            | EventKind::RpcAnswered { .. }
            | EventKind::TransferReported { .. }
            | EventKind::SessionEnded { .. }
            | EventKind::ConnectionRequested { .. }
            | EventKind::NotSpoken { .. } => told::aside(kind),
            _ => self.tell_document(kind),
        }
    }

    fn tell_step(&self, kind: &EventKind) -> String {
        match *kind {
            EventKind::Sent { step, bytes } => format!("sent {} ({bytes} bytes)", self.step(step)),
            EventKind::Retried { step, attempt } => {
                format!("sent {} again, attempt {attempt}", self.step(step))
            }
            EventKind::Answered { step, after } => {
                format!(
                    "answered {} after {} us",
                    self.step(step),
                    after.as_micros()
                )
            }
            EventKind::Missing { step, file } => {
                format!("missing {} ({})", self.step(step), self.file(file))
            }
            EventKind::Wrong { step, fault } => {
                format!("wrong {}: {}", self.step(step), words::fault_text(fault))
            }
            EventKind::Late { step } => format!("late {}", self.step(step)),
            EventKind::GaveUp { step, fault } => {
                format!("gave up {}: {}", self.step(step), words::fault_text(fault))
            }
            EventKind::Challenged { step } => format!("challenged at {}", self.step(step)),
            EventKind::Redirected { step, url } => {
                format!(
                    "redirected at {} to {}",
                    self.step(step),
                    self.urls.text(url)
                )
            }
            EventKind::Fetched {
                file, bytes, md5, ..
            } => {
                let md5: String = md5.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("fetched {} ({bytes} bytes, md5 {md5})", self.file(file))
            }
            _ => String::new(),
        }
    }

    fn tell_discovery(&self, kind: &EventKind) -> String {
        match *kind {
            EventKind::Leased {
                address,
                seconds,
                renewed,
            } => {
                let verb = if renewed { "renewed" } else { "leased" };
                format!("{verb} {address} for {seconds} s")
            }
            EventKind::LeaseRefused => "lease refused (DHCPNAK)".to_owned(),
            EventKind::AddressTaken(address) => {
                format!("{address} is used by another host: declined")
            }
            EventKind::LeaseLost => "lease lost".to_owned(),
            EventKind::LeaseReleased => "lease released".to_owned(),
            EventKind::Candidate { source, url } => {
                format!(
                    "candidate from {}: {}",
                    self.source(source),
                    self.urls.text(url)
                )
            }
            EventKind::NoCandidate { source } => {
                format!("no candidate from {}", self.source(source))
            }
            _ => String::new(),
        }
    }

    fn tell_document(&self, kind: &EventKind) -> String {
        match *kind {
            EventKind::Unchanged { file } => format!("unchanged {}", self.file(file)),
            EventKind::Applied {
                file,
                settings,
                changed,
            } => {
                format!(
                    "applied {}: {settings} settings, {changed} changed",
                    self.file(file)
                )
            }
            EventKind::LinesIgnored {
                file,
                reason,
                count,
                first_line,
            } => {
                let place = format!("{}:{first_line}", self.file(file));
                let lines = if count == 1 { "line" } else { "lines" };
                let reason = words::line_reason(reason);
                format!("ignored {count} {lines} from {place} on: {reason}")
            }
            EventKind::ResourceStored { file, bytes } => {
                format!("stored {} ({bytes} bytes)", self.file(file))
            }
            EventKind::FirmwareInstalling { version, bytes } => {
                format!(
                    "installing firmware {} ({bytes} bytes)",
                    self.urls.text(version)
                )
            }
            EventKind::FirmwareInstalled { version } => {
                format!("runs firmware {}", self.urls.text(version))
            }
            EventKind::FirmwareCurrent => "firmware is current".to_owned(),
            EventKind::FirmwareRefused { fault } => {
                format!("firmware refused: {}", words::fault_text(fault))
            }
            _ => self.tell_part(kind),
        }
    }

    /// What became of documents within a family: guards, certificates, sections, operations.
    fn tell_part(&self, kind: &EventKind) -> String {
        match *kind {
            EventKind::DocumentSkipped { file, fault } => {
                format!("skipped {}: {}", self.file(file), words::fault_text(fault))
            }
            EventKind::CertificateInstalled { file, would_ask } => {
                let asked = if would_ask {
                    ", would ask its user"
                } else {
                    ""
                };
                format!("installed certificate {}{asked}", self.file(file))
            }
            EventKind::SectionStored {
                section,
                migrated_from,
            } => {
                let section = self.urls.text(section);
                match migrated_from {
                    Some(from) => {
                        format!(
                            "stored section {section}, migrated from {}",
                            self.urls.text(from)
                        )
                    }
                    None => format!("stored section {section}"),
                }
            }
            EventKind::SectionRefused {
                section,
                fault,
                line,
            } => {
                let section = self.urls.text(section);
                let fault = words::section_fault(fault);
                format!("refused section {section} at line {line}: {fault}")
            }
            EventKind::OperationSkipped { line, fault } => {
                let fault = words::section_fault(fault);
                format!("skipped operation at line {line}: {fault}")
            }
            _ => self.tell_task(kind),
        }
    }

    fn step(&self, step: StepId) -> &str {
        self.profile
            .steps
            .get(usize::from(step.0))
            .map_or("?", |step| step.label.as_str())
    }

    /// A source by its id; a URL that came with the run's trigger is from none of them.
    fn source(&self, source: SourceId) -> &str {
        self.profile
            .sources
            .get(usize::from(source.0))
            .map_or("what started the run", |source| source.id.as_str())
    }

    fn file(&self, file: File) -> String {
        match file {
            File::Named(name) => self.urls.text(name).to_owned(),
            File::Step(step) => {
                let fetch = step
                    .fetch_index()
                    .and_then(|index| self.profile.fetches.get(index));
                let vars = self.plan.vars(self.planned);
                match fetch {
                    // The name that was asked for, where no URL can have had another (FAN-58).
                    Some(fetch) if !fetch.name.is_empty() && !fetch.name_from_url => {
                        let name = fetch.name.text(&vars);
                        name.rsplit('/').next().unwrap_or_default().to_owned()
                    }
                    Some(fetch) => fetch.label.replace("<mac>", &vars.mac.to_string()),
                    None => self.step(step).to_owned(),
                }
            }
        }
    }
}

/// Time and registration.
fn tell_service(kind: &EventKind) -> String {
    match *kind {
        EventKind::TimeSet { unix_s } => format!("time set: {unix_s} s since 1970"),
        EventKind::Registered {
            account,
            seconds,
            renewed,
        } => {
            let verb = if renewed { "renewed" } else { "registered" };
            format!("{verb} account {account} for {seconds} s")
        }
        EventKind::RegistrationFailed { account, fault } => {
            format!(
                "account {account} not registered: {}",
                words::fault_text(fault)
            )
        }
        EventKind::SenderRefused { address } => format!("check-sync from {address} refused"),
        _ => String::new(),
    }
}
