//! What tells one model from another on the wire: of a phone that was listened to, and of a
//! profile.

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::template::{Template, Vars};
use bootstorm_emulator::profile::{DhcpOption, Param, Profile, TftpOption, URL_OPTION, url_option};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::dhcp::code;
use bootstorm_scenarios::wire::Way;
use bootstorm_scenarios::wire::message::Message;

/// Names of files that are looked at: a walk is shorter.
const NAMES_MAX: usize = 12;
/// Options whose presence depends on what a phone remembers, not on its model.
const PASSING: [u8; 2] = [code::REQUESTED_ADDRESS, code::SERVER_ID];

/// What may tell models apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// The beginning of the MAC.
    Oui,
    /// Option 60.
    Class,
    /// Option 55, in its order.
    Parameters,
    /// The options of a DHCPDISCOVER, in their order.
    Options,
    /// Bytes of a DHCPDISCOVER.
    Length,
    /// Option 12.
    HostName,
    /// Names of the files that are asked for, in their order.
    Names,
    /// The options of a TFTP request with their values.
    Tftp,
    /// User-Agent of HTTP requests.
    Agent,
    /// The header fields of HTTP requests, in their order.
    Headers,
    /// The request URI of a PnP SUBSCRIBE.
    PnpUri,
    /// Its header fields, in their order.
    PnpHeaders,
    /// Its event.
    PnpEvent,
    /// The User-Agent of SIP requests.
    SipAgent,
}

/// One of them, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trait {
    /// Which.
    pub aspect: Aspect,
    /// What it is.
    pub value: String,
    /// The message that shows it; none for what is of the phone itself.
    pub at: Option<Moment>,
}

impl Aspect {
    /// How it is called in sentences.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Oui => "MAC prefix",
            Self::Class => "option 60",
            Self::Parameters => "option 55",
            Self::Options => "order of DHCP options",
            Self::Length => "length of DHCPDISCOVER",
            Self::HostName => "option 12",
            Self::Names => "file names",
            Self::Tftp => "TFTP options",
            Self::Agent => "HTTP User-Agent",
            Self::Headers => "HTTP header fields",
            Self::PnpUri => "SUBSCRIBE's URI",
            Self::PnpHeaders => "SUBSCRIBE's header fields",
            Self::PnpEvent => "SUBSCRIBE's event",
            Self::SipAgent => "SIP User-Agent",
        }
    }

    /// How much it says, from 1 to 4.
    #[must_use]
    pub fn weight(self) -> u32 {
        match self {
            Self::Length | Self::HostName => 1,
            Self::Options | Self::Tftp | Self::Headers | Self::PnpHeaders | Self::PnpUri => 2,
            Self::Oui | Self::Class | Self::Parameters | Self::PnpEvent => 3,
            Self::Names | Self::Agent | Self::SipAgent => 4,
        }
    }
}

/// What a phone showed, each aspect once.
#[must_use]
pub fn shown(mac: Mac, messages: &[Message]) -> Vec<Trait> {
    let mut traits = vec![Trait {
        aspect: Aspect::Oui,
        value: oui([mac.0[0], mac.0[1], mac.0[2]]),
        at: None,
    }];
    let mut add = |aspect, message: &Message, value: Option<String>| {
        let known = traits.iter().any(|it: &Trait| it.aspect == aspect);
        let value = value.filter(|value| !known && !value.is_empty());
        traits.extend(value.map(|value| Trait {
            aspect,
            value,
            at: Some(message.at),
        }));
    };
    for message in messages.iter().filter(|it| it.way == Way::Sent) {
        let field = |key| message.field(key).map(str::to_owned);
        match message.name.as_ref() {
            "dhcp.discover" => {
                add(Aspect::Class, message, field("option.60"));
                add(Aspect::Parameters, message, field("option.55"));
                add(
                    Aspect::Options,
                    message,
                    field("options").map(|it| lasting(&it)),
                );
                add(Aspect::Length, message, Some(message.length.to_string()));
                add(Aspect::HostName, message, field("option.12"));
            }
            "tftp.rrq" => add(Aspect::Tftp, message, Some(tftp_options(message))),
            "http.get" | "http.head" => {
                add(Aspect::Agent, message, field("header.user-agent"));
                add(
                    Aspect::Headers,
                    message,
                    field("headers").map(|it| asked(&it)),
                );
            }
            "sip.subscribe" if message.peer.ip().is_multicast() => {
                add(Aspect::PnpUri, message, field("uri"));
                add(Aspect::PnpHeaders, message, field("headers"));
                add(Aspect::PnpEvent, message, field("header.event"));
                add(Aspect::SipAgent, message, field("header.user-agent"));
            }
            "sip.register" => add(Aspect::SipAgent, message, field("header.user-agent")),
            _ => {}
        }
    }
    if let Some((first, names)) = names(messages) {
        add(Aspect::Names, first, Some(names.join(" ")));
    }
    traits
}

/// What a phone of a profile shows, as far as the profile says.
#[must_use]
pub fn of(profile: &Profile, mac: Mac) -> Vec<(Aspect, String)> {
    let agent = profile.http.user_agent.text(&vars(profile, mac));
    let file_name = profile.params.get(Param::ConfigFileName as usize);
    let file_name = file_name.map(|spec| spec.default.text(&vars(profile, mac)));
    let markers = profile.markers.iter();
    let file_name = markers.fold(file_name.unwrap_or_default(), |name, (marker, meant)| {
        name.replace(marker, &meant.text(&vars(profile, mac)))
    });
    let vars = Vars {
        user_agent: &agent,
        config_file_name: &file_name,
        ..vars(profile, mac)
    };
    let text = |template: &Template| template.text(&vars);
    let own = [mac.0[0], mac.0[1], mac.0[2]];
    let prefix = profile.ouis.iter().find(|it| **it == own);
    let dhcp = &profile.dhcp;
    let named = profile.params.get(Param::DhcpUrlOption as usize);
    let named = named.and_then(|spec| url_option(&text(&spec.default)));
    let codes = dhcp.parameters.iter().filter_map(|code| match *code {
        URL_OPTION => named,
        code => Some(code),
    });
    let mut traits = vec![
        (Aspect::Class, text(&dhcp.vendor_class)),
        (Aspect::Parameters, joined(codes)),
        (
            Aspect::Options,
            joined(dhcp.options.iter().filter_map(|it| code_of(*it, profile))),
        ),
        (Aspect::HostName, text(&dhcp.host_name)),
        (
            Aspect::Tftp,
            joined(profile.tftp.options.iter().map(|it| option(*it))),
        ),
        (Aspect::Agent, agent.clone()),
        (
            Aspect::Headers,
            asked(&joined(profile.http.headers.iter().map(|(name, _)| name))),
        ),
        (
            Aspect::Names,
            joined(profile.fetches.iter().map(|it| {
                let name = text(&it.name);
                name.rsplit('/').next().unwrap_or_default().to_owned()
            })),
        ),
    ];
    traits.extend(
        prefix
            .or(profile.ouis.first())
            .map(|it| (Aspect::Oui, oui(*it))),
    );
    if dhcp.message_bytes > 0 {
        traits.push((Aspect::Length, dhcp.message_bytes.to_string()));
    }
    traits.extend(of_pnp(profile, &vars));
    traits.retain(|(_, value)| !value.is_empty());
    traits
}

/// What the PnP client of a profile shows.
fn of_pnp(profile: &Profile, vars: &Vars<'_>) -> Vec<(Aspect, String)> {
    let Some(pnp) = &profile.pnp else {
        return Vec::new();
    };
    let header = |name: &str| {
        let mut headers = pnp.headers.iter();
        let found = headers.find(|(held, _)| held.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.text(vars)).unwrap_or_default()
    };
    let names = joined(pnp.headers.iter().map(|(name, _)| name));
    vec![
        (Aspect::PnpUri, pnp.request_uri.text(vars)),
        (Aspect::PnpHeaders, names),
        (Aspect::PnpEvent, header("Event")),
        (Aspect::SipAgent, header("User-Agent")),
    ]
}

/// What fills a profile's templates for a phone.
pub(crate) fn vars(profile: &Profile, mac: Mac) -> Vars<'_> {
    Vars {
        mac,
        model: &profile.model,
        vendor: &profile.vendor,
        oem: &profile.oem,
        firmware: &profile.firmware,
        serial: Some(&profile.serial),
        ..Vars::default()
    }
}

/// The last parts of the names that were asked for, each once; what an encrypted or HTTP request
/// names counts as what TFTP asks for.
fn names(messages: &[Message]) -> Option<(&Message, Vec<String>)> {
    let mut first = None;
    let mut names: Vec<String> = Vec::new();
    for message in messages.iter().filter(|it| it.way == Way::Sent) {
        let name = match message.name.as_ref() {
            "tftp.rrq" | "ftp.retr" => message.field("file"),
            "http.get" => message.field("path"),
            _ => None,
        };
        let name = name.and_then(|name| name.rsplit('/').next());
        if let Some(name) = name.filter(|name| !name.is_empty() && names.len() < NAMES_MAX) {
            first = first.or(Some(message));
            if !names.iter().any(|held| held == name) {
                names.push(name.to_owned());
            }
        }
    }
    Some((first?, names))
}

/// The options of a request without those that come and go.
fn lasting(options: &str) -> String {
    let passes = |code: &&str| code.parse().is_ok_and(|code| PASSING.contains(&code));
    joined(options.split(' ').filter(|code| !passes(code)))
}

/// Header fields without what a challenge brings.
fn asked(headers: &str) -> String {
    let names = headers.split(' ');
    joined(names.filter(|name| !name.eq_ignore_ascii_case("Authorization")))
}

fn tftp_options(message: &Message) -> String {
    let names = message.field("options").unwrap_or_default();
    joined(names.split_ascii_whitespace().map(|name| {
        let name = name.to_ascii_lowercase();
        let value = message.field(&format!("option.{name}")).unwrap_or_default();
        format!("{name}={value}")
    }))
}

fn option(option: TftpOption) -> String {
    match option {
        TftpOption::Size => "tsize=0".to_owned(),
        TftpOption::BlockBytes(bytes) => format!("blksize={bytes}"),
        TftpOption::TimeoutS(seconds) => format!("timeout={seconds}"),
    }
}

/// The number of an option that a DHCPDISCOVER of the profile has.
fn code_of(option: DhcpOption, profile: &Profile) -> Option<u8> {
    let sent = |template: &Template, code| {
        let empty = template.text(&vars(profile, Mac::default())).is_empty();
        (!empty).then_some(code)
    };
    match option {
        DhcpOption::MessageType => Some(code::MESSAGE_TYPE),
        DhcpOption::ClientId => Some(code::CLIENT_ID),
        DhcpOption::MaxSize(_) => Some(code::MAX_SIZE),
        DhcpOption::Parameters => Some(code::PARAMETERS),
        DhcpOption::VendorClass => sent(&profile.dhcp.vendor_class, code::VENDOR_CLASS),
        DhcpOption::HostName => sent(&profile.dhcp.host_name, code::HOST_NAME),
        DhcpOption::RequestedAddress | DhcpOption::ServerId => None,
    }
}

fn oui(octets: [u8; 3]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}

fn joined(values: impl IntoIterator<Item = impl ToString>) -> String {
    let values: Vec<String> = values.into_iter().map(|it| it.to_string()).collect();
    values.join(" ")
}
