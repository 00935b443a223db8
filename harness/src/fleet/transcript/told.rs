//! The lines of what happens beside the walk: questions to the user, sessions with an
//! auto-configuration server, tasks for resources.

use bootstorm_emulator::event::EventKind;
use bootstorm_emulator::profile::Param;
use bootstorm_reports::words;

use super::Teller;

impl Teller<'_> {
    /// How files were read, and what became of the resources that they name.
    pub(super) fn tell_task(&self, kind: &EventKind) -> String {
        match *kind {
            EventKind::VersionShown { file, version } => {
                let version = self.urls.text(version);
                format!("shows version {version} for {}", self.file(file))
            }
            EventKind::Tolerated { file, tolerance } => {
                let although = words::tolerance(tolerance);
                format!("read {}, although {although}", self.file(file))
            }
            EventKind::TaskStarted { task, url } => {
                format!("task {}: {}", self.urls.text(task), self.urls.text(url))
            }
            EventKind::ResourceRefused { file, fault } => {
                let fault = words::fault_text(fault);
                format!("refused {}: {fault}", self.file(file))
            }
            EventKind::Imported {
                file,
                rows,
                rejected,
            } => {
                let file = self.file(file);
                format!("imported {file}: {rows} rows, {rejected} rejected")
            }
            _ => String::new(),
        }
    }
}

/// Questions to the user and what passes between phone and auto-configuration server.
pub(super) fn aside(kind: &EventKind) -> String {
    match *kind {
        EventKind::Prompted(prompt) => format!("asks its user for {}", words::prompt(prompt)),
        EventKind::PromptAnswered(prompt) => format!("the user gave {}", words::prompt(prompt)),
        EventKind::PromptAbandoned(prompt) => {
            format!("the user did not give {}", words::prompt(prompt))
        }
        EventKind::SessionStarted(events) => {
            format!("session started: {}", words::inform_events(events))
        }
        EventKind::RpcAnswered { rpc, fault: None } => format!("answered {}", words::rpc(rpc)),
        EventKind::RpcAnswered {
            rpc,
            fault: Some(fault),
        } => format!("refused {} with CWMP fault {fault}", words::rpc(rpc)),
        EventKind::TransferReported { fault: 0 } => "reported the download: success".to_owned(),
        EventKind::TransferReported { fault } => {
            format!("reported the download: CWMP fault {fault}")
        }
        EventKind::SessionEnded { complete, rpcs } => {
            let how = if complete { "ended" } else { "broken off" };
            let word = if rpcs == 1 { "RPC" } else { "RPCs" };
            format!("session {how} after {rpcs} {word}")
        }
        EventKind::ConnectionRequested { status } => {
            format!("answered a connection request with {status}")
        }
        EventKind::NotSpoken { param } => {
            format!("does not speak what field {} asks for", name_of(param))
        }
        _ => String::new(),
    }
}

/// A parameter's name, as profiles and scenarios write it.
fn name_of(param: Param) -> &'static str {
    let known = Param::ALL.iter().find(|(known, _)| *known == param);
    known.map_or("?", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::event::{InformEvents, Prompt, Rpc};

    use super::*;

    // FAN-52, FAN-57
    #[test]
    fn says_what_the_user_is_asked_and_never_what_was_typed() {
        let asked = aside(&EventKind::Prompted(Prompt::FileId));
        assert_eq!(asked, "asks its user for the id in the file's name");
        let given = aside(&EventKind::PromptAnswered(Prompt::Credentials));
        assert_eq!(given, "the user gave user name and password");
        let silent = aside(&EventKind::PromptAbandoned(Prompt::Credentials));
        assert_eq!(silent, "the user did not give user name and password");
    }

    // FAN-115, FAN-118, FAN-119
    #[test]
    fn a_session_reads_from_its_inform_to_its_end() {
        let told = [
            EventKind::SessionStarted(InformEvents::BOOT),
            EventKind::RpcAnswered {
                rpc: Rpc::SetParameterValues,
                fault: Some(9007),
            },
            EventKind::RpcAnswered {
                rpc: Rpc::Download,
                fault: None,
            },
            EventKind::TransferReported { fault: 0 },
            EventKind::TransferReported { fault: 9010 },
            EventKind::SessionEnded {
                complete: true,
                rpcs: 1,
            },
            EventKind::SessionEnded {
                complete: false,
                rpcs: 2,
            },
            EventKind::ConnectionRequested { status: 401 },
            EventKind::NotSpoken {
                param: Param::AcsTlsVersion,
            },
        ]
        .map(|kind| aside(&kind));
        assert_eq!(
            told,
            [
                "session started: 1 BOOT",
                "refused SetParameterValues with CWMP fault 9007",
                "answered Download",
                "reported the download: success",
                "reported the download: CWMP fault 9010",
                "session ended after 1 RPC",
                "session broken off after 2 RPCs",
                "answered a connection request with 401",
                "does not speak what field acs_tls_version asks for",
            ]
        );
    }
}
