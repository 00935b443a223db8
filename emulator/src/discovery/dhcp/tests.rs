use std::sync::Arc;

use dhcproto::v4::{self, DhcpOption as Oracle};
use dhcproto::{Decodable, Decoder, Encodable};
use proptest::prelude::*;

use super::*;
use crate::format::FormatOptions;
use crate::identity::{Identity, Mac};
use crate::limits::URL_BYTES_MAX;
use crate::phone::io::{Channel, Outputs};
use crate::profile::keys::KeyRules;
use crate::profile::template::Template;
use crate::profile::{
    Account, Apply, Change, Classify, DhcpOption, DhcpSpec, FirmwareChoice, FirmwareRule,
    FirmwareVersion, HttpSpec, Profile, SendCredentials, SipSpec, Source, SourceKind, SourcesEnd,
    TftpSpec, Timers, URL_OPTION,
};
use crate::rng::Rng;
use crate::shelf::Shelf;
use crate::wire::dhcp::{Encoder, Header};

const MAC: Mac = Mac([0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 10);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 92);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 93);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn template(source: &str) -> Template {
    Template::parse(source).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn source(option: u8, file_option: Option<u8>) -> Source {
    Source {
        id: format!("option-{option}"),
        kind: SourceKind::Dhcp {
            option,
            file_option,
            unless: None,
        },
        ends_run: false,
        enabled_by: Vec::new(),
        together: None,
        account: Account::First,
        clauses: Vec::new(),
    }
}

/// A client that behaves as the first document's trace (FLY-62 to FLY-64, FLY-79).
fn udhcp() -> DhcpSpec {
    DhcpSpec {
        message_bytes: 548,
        options: vec![
            DhcpOption::MessageType,
            DhcpOption::ClientId,
            DhcpOption::VendorClass,
            DhcpOption::RequestedAddress,
            DhcpOption::ServerId,
            DhcpOption::MaxSize(576),
            DhcpOption::Parameters,
        ],
        parameters: vec![1, 3, 6, 12, 15, 28, 42, 66],
        parameters_with_67: vec![67],
        vendor_class: template("udhcp 0.9.9-pre"),
        host_name: Template::default(),
        offer_window: Duration::ZERO,
        retry: vec![seconds(2), seconds(3), seconds(4)],
        retry_spread: Duration::ZERO,
        pause: seconds(60),
        constant_xid: true,
        xid_from_mac: false,
        run_at_renewal: false,
        broadcast: false,
        clauses: Vec::new(),
    }
}

fn profile(dhcp: DhcpSpec) -> Profile {
    Profile {
        name: "vendor/model".to_owned(),
        vendor: "Vendor".to_owned(),
        model: "C62".to_owned(),
        oem: "Vendor".to_owned(),
        summary: String::new(),
        unverified: Vec::new(),
        ouis: Vec::new(),
        firmware: "1.0".to_owned(),
        product: String::new(),
        serial: Template::default(),
        markers: Vec::new(),
        sections: None,
        params: Vec::new(),
        timers: Timers::default(),
        sources: vec![source(66, Some(67)), source(160, None)],
        sources_end: SourcesEnd::FirstFile,
        sources_fixed: false,
        mdns: None,
        clock: None,
        dhcp,
        pnp: None,
        prompt: None,
        sip: SipSpec {
            resync_events: Vec::new(),
            reboot_parameter: String::new(),
            unknown_event_status: 489,
            clauses: Vec::new(),
        },
        tftp: TftpSpec {
            options: Vec::new(),
            retry: seconds(4),
            retry_spread: Duration::ZERO,
            attempts: 3,
            leading_slash: false,
            refuse_zero_size: false,
            clauses: Vec::new(),
        },
        ftp: None,
        http: HttpSpec {
            headers: Vec::new(),
            user_agent: Template::default(),
            keep_alive: false,
            timeout: seconds(5),
            attempts: 1,
            credentials: SendCredentials::AfterChallenge,
            verify_certificate: false,
            client_certificate: None,
            clauses: Vec::new(),
        },
        classify: Classify::BySuffix,
        given: Vec::new(),
        fetches: Vec::new(),
        cipher: None,
        tasks: crate::profile::Tasks::default(),
        accounts: None,
        cwmp: None,
        change: Change::None,
        apply: Apply::AfterRun,
        format: FormatOptions::default(),
        keys: KeyRules::default(),
        firmware_rule: FirmwareRule {
            version: FirmwareVersion::FileName,
            choose: FirmwareChoice::Different,
            image_name: Template::default(),
            clauses: Vec::new(),
        },
        content: Vec::new(),
        steps: Vec::new(),
    }
}

/// One phone's client, its clock, and what it did, one line each.
struct Stand {
    client: DhcpClient,
    profile: Arc<Profile>,
    shelf: Shelf,
    rng: Rng,
    out: Outputs,
    now: Moment,
    /// Messages sent so far.
    sent: Vec<Vec<u8>>,
    ladder: Vec<String>,
    news: Option<LeaseNews>,
}

/// An answer of a server.
#[derive(Clone)]
struct Reply {
    xid: u32,
    mac: Mac,
    yiaddr: Ipv4Addr,
    options: Vec<(u8, Vec<u8>)>,
}

impl Reply {
    fn without(mut self, code: u8) -> Self {
        self.options.retain(|(known, _)| *known != code);
        self
    }

    fn with(self, code: u8, value: &[u8]) -> Self {
        let mut reply = self.without(code);
        reply.options.push((code, value.to_vec()));
        reply
    }

    fn number(self, code: u8, value: u32) -> Self {
        self.with(code, &value.to_be_bytes())
    }

    fn from(self, server: Ipv4Addr) -> Self {
        self.with(54, &server.octets())
    }

    fn gives(self, yiaddr: Ipv4Addr) -> Self {
        Self { yiaddr, ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let header = Header {
            op: BOOT_REPLY,
            yiaddr: self.yiaddr,
            ..Header::request(self.xid, self.mac)
        };
        let mut encoder = Encoder::begin(&mut bytes, &header);
        for (code, value) in &self.options {
            encoder.option(*code, value);
        }
        encoder.finish(0);
        bytes
    }
}

impl Stand {
    fn new(dhcp: DhcpSpec) -> Self {
        Self::of(profile(dhcp))
    }

    fn of(profile: Profile) -> Self {
        let profile = Arc::new(profile);
        Self {
            client: DhcpClient::default(),
            shelf: Shelf::new(vec![Arc::clone(&profile)]),
            profile,
            rng: Rng::new(7),
            out: Outputs::default(),
            now: Moment::ZERO,
            sent: Vec::new(),
            ladder: Vec::new(),
            news: None,
        }
    }

    fn started(dhcp: DhcpSpec) -> Self {
        let mut stand = Self::new(dhcp);
        stand.start(false);
        stand
    }

    /// Started, offered an address and asking for it.
    fn requesting(dhcp: DhcpSpec) -> Self {
        let mut stand = Self::started(dhcp);
        stand.take(&stand.offer());
        stand
    }

    /// With a lease of `seconds`, got at time zero.
    fn bound(dhcp: DhcpSpec, seconds: u32) -> Self {
        let mut stand = Self::requesting(dhcp);
        stand.take(&stand.ack().number(51, seconds));
        assert_eq!(stand.news, Some(LeaseNews::Bound));
        stand.ladder.clear();
        stand
    }

    fn step(&mut self, act: impl FnOnce(&mut DhcpClient, &mut Turn<'_>) -> Option<LeaseNews>) {
        let identity = Identity {
            mac: MAC,
            index: 0,
            run_seed: 1,
        };
        let mut turn = Turn {
            now: self.now,
            profile: &self.profile,
            identity: &identity,
            address: self.client.lease().map_or(NOBODY, |lease| lease.address),
            firmware: "1.0",
            shelf: &mut self.shelf,
            rng: &mut self.rng,
            out: &mut self.out,
        };
        self.news = act(&mut self.client, &mut turn);
        self.record();
    }

    fn record(&mut self) {
        for effect in &self.out.effects {
            match effect {
                Effect::Send { channel, to, bytes } => {
                    assert_eq!(*channel, Channel::Dhcp);
                    let bytes = self.out.slice(bytes).to_vec();
                    let kind = Message::decode(&bytes).unwrap().message_type().unwrap();
                    self.ladder.push(format!("{kind:?} → {to}"));
                    self.sent.push(bytes);
                }
                Effect::Address(address) => self.ladder.push(match address {
                    Some(address) => format!("address {address}"),
                    None => "no address".to_owned(),
                }),
                other => panic!("{other:?}"),
            }
        }
        for event in &self.out.events {
            assert_eq!(event.at, self.now);
            self.ladder.push(line(event.kind));
        }
        self.out.clear();
    }

    fn start(&mut self, with_67: bool) {
        self.step(|client, turn| {
            let url_option = None;
            client.start(
                turn,
                Asked {
                    with_67,
                    url_option,
                },
            );
            None
        });
    }

    fn release(&mut self) {
        self.step(|client, turn| {
            client.release(turn);
            None
        });
    }

    fn taken(&mut self, address: Ipv4Addr) {
        self.step(|client, turn| client.taken(turn, address));
    }

    fn take(&mut self, reply: &Reply) {
        self.take_bytes(&reply.bytes());
    }

    fn take_bytes(&mut self, bytes: &[u8]) {
        let from = SocketAddrV4::new(SERVER, 67);
        self.step(|client, turn| client.datagram(turn, from, bytes));
    }

    /// Waits for the deadline and ticks; the time since the last step in milliseconds.
    fn wait(&mut self) -> u64 {
        let due = self.client.deadline().unwrap();
        let waited = due.since(self.now);
        self.now = due;
        self.step(DhcpClient::tick);
        u64::try_from(waited.as_millis()).unwrap()
    }

    fn after(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    fn last(&self) -> Message<'_> {
        Message::decode(self.sent.last().unwrap()).unwrap()
    }

    /// The options of the last message: codes in wire order.
    fn codes(&self) -> Vec<u8> {
        self.last().options().map(|(code, _)| code).collect()
    }

    fn reply(&self, kind: MessageType) -> Reply {
        Reply {
            xid: self.last().xid(),
            mac: MAC,
            yiaddr: ADDRESS,
            options: vec![(53, vec![kind as u8]), (54, SERVER.octets().to_vec())],
        }
    }

    fn offer(&self) -> Reply {
        self.reply(MessageType::Offer).number(51, 3600)
    }

    fn ack(&self) -> Reply {
        self.reply(MessageType::Ack).number(51, 3600)
    }

    fn nak(&self) -> Reply {
        self.reply(MessageType::Nak).gives(NOBODY)
    }

    /// The lines since the last call.
    #[track_caller]
    fn expect(&mut self, lines: &[&str]) {
        assert_eq!(self.ladder, lines);
        self.ladder.clear();
    }
}

fn line(kind: EventKind) -> String {
    let name = |step: StepId| match step {
        StepId::DISCOVER => "DISCOVER",
        StepId::REQUEST => "REQUEST",
        StepId::RENEW => "RENEW",
        _ => "?",
    };
    match kind {
        EventKind::Sent { step, bytes } => format!("sent {} {bytes}", name(step)),
        EventKind::Retried { step, attempt } => format!("retried {} {attempt}", name(step)),
        EventKind::Answered { step, after } => {
            format!("answered {} {}", name(step), after.as_millis())
        }
        EventKind::Wrong { step, fault } => match fault {
            Fault::Malformed(what) => format!("wrong {} {what}", name(step)),
            fault => format!("wrong {} {fault:?}", name(step)),
        },
        EventKind::Late { step } => format!("late {}", name(step)),
        EventKind::GaveUp { step, fault } => format!("gave up {} {fault:?}", name(step)),
        EventKind::Leased {
            seconds, renewed, ..
        } => format!("leased {seconds} {renewed}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn discovers_with_the_padded_message_of_the_trace() {
    let mut stand = Stand::new(udhcp());
    stand.start(false);
    stand.expect(&["Discover → 255.255.255.255:67", "sent DISCOVER 548"]);
    let message = stand.last();
    let header = [message.ciaddr(), message.yiaddr(), message.giaddr()];
    assert_eq!((message.op(), message.secs(), message.flags()), (1, 0, 0));
    assert_eq!((header, message.mac()), ([NOBODY; 3], Some(MAC)));
    let options = [
        &[53, 1, 1][..],
        &[61, 7, 1, 0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d],
        b"\x3c\x0fudhcp 0.9.9-pre",
        &[57, 2, 2, 64],
        &[55, 8, 1, 3, 6, 12, 15, 28, 42, 66],
        &[255],
    ]
    .concat();
    let packet = stand.sent.last().unwrap();
    assert_eq!(packet.len(), 548);
    let (written, padding) = packet[240..].split_at(options.len());
    assert_eq!(written, options);
    assert!(padding.iter().all(|byte| *byte == 0));
}

#[test]
fn requests_what_was_offered_from_whom_it_was_offered() {
    let mut stand = Stand::requesting(udhcp());
    assert_eq!(stand.codes(), [53, 61, 60, 50, 54, 57, 55]);
    let message = stand.last();
    assert_eq!(message.address(50), Some(ADDRESS));
    assert_eq!(message.address(54), Some(SERVER));
    assert_eq!(message.ciaddr(), NOBODY);
    assert_eq!(
        message.xid(),
        Message::decode(&stand.sent[0]).unwrap().xid()
    );
    assert_eq!(stand.sent[1].len(), 548);
    stand.start(true);
    let asked = stand.last().option(55).unwrap();
    assert_eq!(asked, [1, 3, 6, 12, 15, 28, 42, 66, 67]);
}

/// FAN-67, FAN-74 to FAN-76: another vendor's client needs nothing but another profile.
#[test]
fn writes_the_unpadded_messages_of_another_trace() {
    let stand = Stand::requesting(DhcpSpec {
        message_bytes: 0,
        options: vec![
            DhcpOption::MessageType,
            DhcpOption::ClientId,
            DhcpOption::HostName,
            DhcpOption::VendorClass,
            DhcpOption::RequestedAddress,
            DhcpOption::ServerId,
            DhcpOption::Parameters,
        ],
        parameters: vec![1, 28, 3, 2, 4, 43, 6],
        vendor_class: Template::default(),
        host_name: template("C62"),
        ..udhcp()
    });
    let lengths: Vec<usize> = stand.sent.iter().map(Vec::len).collect();
    assert_eq!(lengths, [267, 279]);
    assert_eq!(stand.codes(), [53, 61, 12, 50, 54, 55]);
}

#[test]
fn leases_an_address_without_collecting_offers() {
    let mut stand = Stand::new(udhcp());
    stand.start(false);
    stand.ladder.clear();
    stand.after(5);
    stand.take(&stand.offer());
    stand.expect(&[
        "Request → 255.255.255.255:67",
        "answered DISCOVER 5",
        "sent REQUEST 548",
    ]);
    assert!(stand.client.lease().is_none());
    stand.after(3);
    stand.take(&stand.offer().from(OTHER));
    stand.expect(&["late DISCOVER"]);
    stand.take(&stand.ack().with(66, b"192.168.50.92"));
    stand.expect(&[
        "address 192.168.50.10",
        "answered REQUEST 3",
        "leased 3600 false",
    ]);
    assert_eq!(stand.news, Some(LeaseNews::Bound));
    let lease = stand.client.lease().unwrap();
    assert_eq!((lease.address, lease.server), (ADDRESS, SERVER));
    assert_eq!(lease.text(66), Some("192.168.50.92"));
    // The same answers once more: too late, and nothing changes.
    stand.take(&stand.ack());
    stand.take(&stand.offer());
    stand.take(&stand.nak());
    stand.expect(&["late REQUEST", "late DISCOVER", "late REQUEST"]);
    assert_eq!(stand.news, None);
    let t1 = Moment::from_millis(5) + seconds(1800);
    assert_eq!(stand.client.deadline(), Some(t1));
}

/// The whole exchange against the oracle: it reads what the client writes and writes what the
/// client reads.
#[test]
fn speaks_with_an_independent_codec() {
    let mut stand = Stand::new(udhcp());
    stand.start(false);
    for (asked, answer) in [
        (v4::MessageType::Discover, v4::MessageType::Offer),
        (v4::MessageType::Request, v4::MessageType::Ack),
    ] {
        let packet = stand.sent.last().unwrap();
        let request = v4::Message::decode(&mut Decoder::new(packet)).unwrap();
        assert_eq!(request.opts().msg_type(), Some(asked));
        assert_eq!(request.chaddr(), MAC.0);
        let parameters = request.opts().get(v4::OptionCode::ParameterRequestList);
        let wanted = [1, 3, 6, 12, 15, 28, 42, 66].map(v4::OptionCode::from);
        assert_eq!(
            parameters,
            Some(&Oracle::ParameterRequestList(wanted.to_vec()))
        );
        let mut reply =
            v4::Message::new_with_id(request.xid(), NOBODY, ADDRESS, SERVER, NOBODY, &MAC.0);
        reply.set_opcode(v4::Opcode::BootReply);
        for option in [
            Oracle::MessageType(answer),
            Oracle::ServerIdentifier(SERVER),
            Oracle::AddressLeaseTime(100),
            Oracle::Renewal(40),
            Oracle::Rebinding(80),
            Oracle::TFTPServerName(b"192.168.50.92".to_vec()),
        ] {
            reply.opts_mut().insert(option);
        }
        stand.take_bytes(&reply.to_vec().unwrap());
    }
    let lease = stand.client.lease().unwrap();
    assert_eq!((lease.address, lease.server), (ADDRESS, SERVER));
    assert_eq!(lease.option(66), Some(&b"192.168.50.92"[..]));
    assert_eq!(stand.client.deadline(), Some(Moment::from_millis(40_000)));
}

fn collecting() -> DhcpSpec {
    DhcpSpec {
        offer_window: seconds(5),
        ..udhcp()
    }
}

#[test]
fn prefers_the_first_useful_offer_of_its_window() {
    let mut stand = Stand::new(collecting());
    stand.start(false);
    stand.after(100);
    stand.take(&stand.offer());
    stand.take(&stand.offer().from(OTHER).with(160, b"tftp://a/"));
    stand.take(&stand.offer().with(66, b"192.168.50.92"));
    stand.take(&stand.offer().from(OTHER).without(53));
    assert_eq!(stand.wait(), 5_000);
    stand.expect(&[
        "Discover → 255.255.255.255:67",
        "sent DISCOVER 548",
        "answered DISCOVER 100",
        "wrong DISCOVER Incomplete",
        "Request → 255.255.255.255:67",
        "sent REQUEST 548",
    ]);
    assert_eq!(stand.last().address(54), Some(OTHER));
}

#[test]
fn takes_the_first_offer_when_none_is_useful() {
    let mut stand = Stand::started(collecting());
    stand.take(&stand.offer().with(67, b"file only"));
    stand.take(&stand.offer().from(OTHER));
    stand.wait();
    assert_eq!(stand.last().address(54), Some(SERVER));
}

#[test]
fn scales_the_offer_window_and_no_protocol_time() {
    let mut stand = Stand::new(DhcpSpec {
        retry: vec![seconds(2)],
        ..collecting()
    });
    stand.shelf.time_scale = 0.1;
    stand.start(false);
    assert_eq!(stand.wait(), 2_000);
    assert_eq!(stand.wait(), 60_000);
    stand.take(&stand.offer());
    assert_eq!(stand.wait(), 500);
    stand.take(&stand.ack().number(51, 100));
    assert_eq!(stand.wait(), 50_000);
    // With a scale of zero there is no window at all.
    let mut stand = Stand::new(collecting());
    stand.shelf.time_scale = 0.0;
    stand.start(false);
    stand.take(&stand.offer());
    assert_eq!(stand.last().message_type(), Some(MessageType::Request));
}

#[test]
fn repeats_discover_gives_up_pauses_and_begins_again() {
    let mut stand = Stand::started(udhcp());
    stand.ladder.clear();
    let waits: Vec<u64> = (0..5).map(|_| stand.wait()).collect();
    assert_eq!(waits, [2_000, 3_000, 4_000, 60_000, 2_000]);
    stand.expect(&[
        "Discover → 255.255.255.255:67",
        "retried DISCOVER 2",
        "Discover → 255.255.255.255:67",
        "retried DISCOVER 3",
        "gave up DISCOVER Silence",
        "LimitReached { limit: Attempts, value: 3 }",
        "Discover → 255.255.255.255:67",
        "sent DISCOVER 548",
        "Discover → 255.255.255.255:67",
        "retried DISCOVER 2",
    ]);
    assert!(stand.sent.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn counts_the_answer_from_the_first_transmission() {
    let mut stand = Stand::started(udhcp());
    stand.wait();
    stand.after(500);
    stand.ladder.clear();
    stand.take(&stand.offer());
    assert_eq!(stand.ladder[1], "answered DISCOVER 2500");
}

#[test]
fn spreads_its_waits_repeatably_within_bounds() {
    let spread = DhcpSpec {
        retry: vec![seconds(4), seconds(8)],
        retry_spread: seconds(1),
        ..udhcp()
    };
    let run = || {
        let mut stand = Stand::started(spread.clone());
        (0..60).map(|_| stand.wait()).collect::<Vec<u64>>()
    };
    let waits = run();
    assert_eq!(waits, run());
    for cycle in waits.chunks(3) {
        assert!((3_000..=5_000).contains(&cycle[0]), "{cycle:?}");
        assert!((7_000..=9_000).contains(&cycle[1]), "{cycle:?}");
        assert_eq!(cycle[2], 60_000);
    }
    let first = || waits.iter().step_by(3);
    assert!(first().any(|wait| *wait < 3_700) && first().any(|wait| *wait > 4_300));
}

#[test]
fn never_waits_backwards() {
    let mut stand = Stand::started(DhcpSpec {
        retry: vec![seconds(1); 40],
        retry_spread: seconds(5),
        ..udhcp()
    });
    stand.after(600_000);
    for _ in 0..39 {
        stand.step(DhcpClient::tick);
        assert!(stand.client.deadline() >= Some(stand.now));
        stand.now = stand.client.deadline().unwrap();
    }
}

#[test]
fn waits_once_where_the_profile_lists_no_repeats() {
    let mut stand = Stand::started(DhcpSpec {
        retry: Vec::new(),
        ..udhcp()
    });
    assert_eq!((stand.wait(), stand.wait()), (4_000, 60_000));
    assert_eq!(stand.sent.len(), 2);
}

#[test]
fn gives_up_a_request_that_nobody_answers() {
    let mut stand = Stand::requesting(udhcp());
    stand.ladder.clear();
    let waits: Vec<u64> = (0..4).map(|_| stand.wait()).collect();
    assert_eq!(waits, [2_000, 3_000, 4_000, 60_000]);
    stand.expect(&[
        "Request → 255.255.255.255:67",
        "retried REQUEST 2",
        "Request → 255.255.255.255:67",
        "retried REQUEST 3",
        "gave up REQUEST Silence",
        "LimitReached { limit: Attempts, value: 3 }",
        "Discover → 255.255.255.255:67",
        "sent DISCOVER 548",
    ]);
    // The ACK that nobody waits for any more.
    stand.take(&stand.ack());
    stand.expect(&["late REQUEST"]);
}

#[test]
fn answers_in_the_pause_are_late() {
    let mut stand = Stand::started(udhcp());
    for _ in 0..3 {
        stand.wait();
    }
    stand.ladder.clear();
    stand.take(&stand.offer());
    stand.expect(&["late DISCOVER"]);
}

#[test]
fn keeps_one_transaction_id_for_everything() {
    let mut stand = Stand::bound(udhcp(), 1000);
    stand.wait();
    stand.take(&stand.ack());
    stand.start(false);
    let xids: Vec<u32> = stand
        .sent
        .iter()
        .map(|sent| Message::decode(sent).unwrap().xid())
        .collect();
    assert_eq!(xids, [xids[0]; 4]);
}

#[test]
fn takes_a_fresh_transaction_id_where_the_profile_says_so() {
    let mut stand = Stand::started(DhcpSpec {
        constant_xid: false,
        ..udhcp()
    });
    let early = stand.offer();
    stand.wait();
    assert_ne!(stand.last().xid(), early.xid);
    stand.ladder.clear();
    stand.take(&early);
    stand.expect(&["late DISCOVER"]);
    let offer = stand.offer();
    stand.take(&offer);
    assert_eq!(stand.last().xid(), offer.xid);
    stand.wait();
    assert_eq!(stand.last().xid(), offer.xid, "a repeated REQUEST keeps it");
    stand.take(&stand.ack());
    assert!(stand.client.lease().is_some());
    stand.wait();
    assert_ne!(stand.last().xid(), offer.xid, "a renewal has its own");
}

#[test]
fn starts_over_after_a_nak() {
    let mut stand = Stand::requesting(udhcp());
    stand.ladder.clear();
    stand.take(&stand.nak());
    assert_eq!(stand.news, None);
    assert_eq!(stand.wait(), 60_000);
    stand.expect(&[
        "LeaseRefused",
        "Discover → 255.255.255.255:67",
        "sent DISCOVER 548",
    ]);
}

#[test]
fn obeys_no_nak_of_a_server_that_it_did_not_ask() {
    let mut stand = Stand::requesting(udhcp());
    stand.ladder.clear();
    stand.take(&stand.nak().from(OTHER));
    stand.expect(&["wrong REQUEST ForeignTransaction"]);
    stand.take(&stand.nak().without(54));
    stand.expect(&["wrong REQUEST Incomplete", "LeaseRefused"]);
}

#[test]
fn never_holds_the_clock_still_between_refusals() {
    let mut stand = Stand::requesting(DhcpSpec {
        pause: Duration::ZERO,
        ..udhcp()
    });
    for _ in 0..3 {
        stand.take(&stand.nak());
        assert_eq!(stand.wait(), 100);
        stand.take(&stand.offer());
    }
}

#[test]
fn renews_by_unicast_at_half_the_lease() {
    let mut stand = Stand::bound(udhcp(), 1000);
    assert_eq!(stand.wait(), 500_000);
    stand.expect(&["Request → 192.168.50.92:67", "sent RENEW 548"]);
    assert_eq!(stand.codes(), [53, 61, 60, 57, 55]);
    assert_eq!(stand.last().ciaddr(), ADDRESS);
    stand.after(20);
    stand.take(&stand.ack().number(51, 2000).with(66, b"10.0.0.1"));
    stand.expect(&["answered RENEW 20", "leased 2000 true"]);
    assert_eq!(stand.news, None);
    assert_eq!(stand.client.lease().unwrap().text(66), Some("10.0.0.1"));
    // T1 counts from the renewal's request, not from its answer.
    assert_eq!(stand.wait(), 999_980);
    stand.ladder.clear();
    stand.take(&stand.ack());
    stand.take(&stand.ack());
    stand.expect(&["answered RENEW 0", "leased 3600 true", "late RENEW"]);
}

#[test]
fn repeats_the_renewal_rebinds_and_loses_the_lease() {
    let mut stand = Stand::bound(udhcp(), 1000);
    let waits: Vec<u64> = (0..8).map(|_| stand.wait()).collect();
    // T1 500 s; half of what is left to T2 (875 s), at least 60 s; then the same to expiry.
    assert_eq!(
        waits,
        [
            500_000, 187_500, 93_750, 60_000, 33_750, 62_500, 60_000, 2_500
        ]
    );
    assert_eq!(stand.news, Some(LeaseNews::Lost));
    stand.expect(&[
        "Request → 192.168.50.92:67",
        "sent RENEW 548",
        "Request → 192.168.50.92:67",
        "retried RENEW 2",
        "Request → 192.168.50.92:67",
        "retried RENEW 3",
        "Request → 192.168.50.92:67",
        "retried RENEW 4",
        "Request → 255.255.255.255:67",
        "retried RENEW 5",
        "Request → 255.255.255.255:67",
        "retried RENEW 6",
        "Request → 255.255.255.255:67",
        "retried RENEW 7",
        "no address",
        "Discover → 255.255.255.255:67",
        "gave up RENEW Silence",
        "LeaseLost",
        "sent DISCOVER 548",
    ]);
    assert!(stand.client.lease().is_none());
}

#[test]
fn takes_any_server_when_rebinding() {
    for kind in [MessageType::Ack, MessageType::Nak] {
        let mut stand = Stand::bound(udhcp(), 100);
        assert_eq!((stand.wait(), stand.wait()), (50_000, 37_500));
        assert_eq!(stand.last().ciaddr(), ADDRESS);
        assert_eq!(stand.codes(), [53, 61, 60, 57, 55]);
        stand.take(&stand.reply(kind).from(OTHER).number(51, 100));
        if kind == MessageType::Ack {
            assert_eq!(stand.client.lease().unwrap().server, OTHER);
        } else {
            assert_eq!(stand.news, Some(LeaseNews::Lost));
        }
    }
}

#[test]
fn loses_its_address_when_the_renewal_is_refused() {
    let mut stand = Stand::bound(udhcp(), 1000);
    stand.wait();
    stand.ladder.clear();
    stand.take(&stand.nak());
    assert_eq!(stand.news, Some(LeaseNews::Lost));
    assert_eq!(stand.wait(), 60_000);
    stand.expect(&[
        "no address",
        "LeaseRefused",
        "Discover → 255.255.255.255:67",
        "sent DISCOVER 548",
    ]);
}

#[test]
fn takes_another_address_from_a_renewal() {
    let mut stand = Stand::bound(udhcp(), 1000);
    stand.wait();
    stand.ladder.clear();
    stand.take(&stand.ack().gives(Ipv4Addr::new(192, 168, 50, 11)));
    stand.expect(&[
        "address 192.168.50.11",
        "answered RENEW 0",
        "leased 3600 false",
    ]);
    assert_eq!(stand.news, Some(LeaseNews::Bound));
}

#[test]
fn counts_the_lease_from_the_latest_transmission() {
    let mut stand = Stand::requesting(udhcp());
    assert_eq!(stand.wait(), 2_000);
    stand.after(500);
    stand.take(&stand.ack().number(51, 1000));
    let t1 = Moment::from_millis(2_000) + seconds(500);
    assert_eq!(stand.client.deadline(), Some(t1));
}

#[test]
fn skips_to_where_a_late_tick_finds_it() {
    let mut stand = Stand::bound(udhcp(), 1000);
    stand.after(900_000);
    stand.step(DhcpClient::tick);
    stand.expect(&["Request → 255.255.255.255:67", "sent RENEW 548"]);
    let mut stand = Stand::bound(udhcp(), 1000);
    stand.after(1_000_000);
    stand.step(DhcpClient::tick);
    stand.expect(&[
        "no address",
        "Discover → 255.255.255.255:67",
        "LeaseLost",
        "sent DISCOVER 548",
    ]);
}

#[test]
fn does_nothing_before_its_deadline() {
    let mut stand = Stand::bound(udhcp(), 1000);
    stand.after(499_999);
    stand.step(DhcpClient::tick);
    stand.expect(&[]);
}

#[test]
fn takes_sound_lease_times_from_the_server_and_its_own_for_others() {
    for (t1, t2, renewal, rebinding) in [
        (None, None, 500_000, 875_000),
        (Some(100), Some(200), 100_000, 200_000),
        (Some(100), None, 100_000, 875_000),
        (None, Some(700), 500_000, 700_000),
        (Some(0), Some(200), 500_000, 875_000),
        (Some(300), Some(300), 500_000, 875_000),
        (Some(900), None, 500_000, 875_000),
        (Some(100), Some(1000), 500_000, 875_000),
        (Some(u32::MAX), Some(u32::MAX), 500_000, 875_000),
    ] {
        let mut stand = Stand::requesting(udhcp());
        let mut ack = stand.ack().number(51, 1000);
        for (code, time) in [(58, t1), (59, t2)] {
            if let Some(time) = time {
                ack = ack.number(code, time);
            }
        }
        stand.take(&ack);
        assert_eq!(stand.wait(), renewal, "{t1:?} {t2:?}");
        while stand.last().message_type() == Some(MessageType::Request)
            && !stand.ladder.last().unwrap().contains("gave up")
            && stand.now < Moment::from_millis(rebinding)
        {
            stand.wait();
        }
        assert_eq!(stand.now, Moment::from_millis(rebinding), "{t1:?} {t2:?}");
        let broadcast = "Request → 255.255.255.255:67";
        assert_eq!(stand.ladder[stand.ladder.len() - 2], broadcast);
    }
}

#[test]
fn keeps_a_lease_without_end() {
    let stand = Stand::bound(udhcp(), u32::MAX);
    assert_eq!(stand.client.deadline(), None);
    assert!(stand.client.lease().is_some());
}

#[test]
fn assumes_an_hour_where_no_lease_time_is_said_and_holds_ten_seconds_at_least() {
    for ack in [
        |stand: &Stand| stand.ack().without(51),
        |stand: &Stand| stand.ack().number(51, 0),
        |stand: &Stand| stand.ack().with(51, &[1, 2]),
    ] {
        let mut stand = Stand::requesting(udhcp());
        stand.ladder.clear();
        stand.take(&ack(&stand));
        stand.expect(&[
            "address 192.168.50.10",
            "wrong REQUEST Incomplete",
            "answered REQUEST 0",
            "leased 3600 false",
        ]);
        assert_eq!(stand.wait(), 1_800_000);
    }
    let mut stand = Stand::bound(udhcp(), 1);
    assert_eq!(stand.wait(), 5_000);
}

#[test]
fn waits_on_when_an_offer_lacks_what_a_request_needs() {
    let mut stand = Stand::started(udhcp());
    stand.ladder.clear();
    stand.take(&stand.offer().without(54));
    stand.take(&stand.offer().from(NOBODY));
    stand.take(&stand.offer().with(54, &[1, 2, 3]));
    for address in [NOBODY, Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 1, 75)] {
        stand.take(&stand.offer().gives(address));
    }
    stand.expect(&["wrong DISCOVER Incomplete"; 6]);
    assert_eq!(stand.sent.len(), 1);
    stand.take(&stand.offer());
    assert_eq!(stand.sent.len(), 2);
}

#[test]
fn waits_on_when_an_ack_gives_no_address_or_comes_from_elsewhere() {
    let mut stand = Stand::requesting(udhcp());
    stand.ladder.clear();
    stand.take(&stand.ack().gives(NOBODY));
    stand.take(&stand.ack().from(OTHER));
    stand.expect(&[
        "wrong REQUEST Incomplete",
        "wrong REQUEST ForeignTransaction",
    ]);
    assert!(stand.client.lease().is_none());
}

#[test]
fn takes_an_ack_without_server_identifier_and_says_so() {
    let mut stand = Stand::requesting(udhcp());
    stand.ladder.clear();
    stand.take(&stand.ack().without(54));
    stand.expect(&[
        "address 192.168.50.10",
        "wrong REQUEST Incomplete",
        "answered REQUEST 0",
        "leased 3600 false",
    ]);
    assert_eq!(stand.client.lease().unwrap().server, SERVER);
}

#[test]
fn reports_messages_that_are_not_for_it() {
    let mut stand = Stand::started(udhcp());
    stand.ladder.clear();
    let offer = stand.offer();
    let xid = offer.xid ^ 1;
    stand.take(&Reply {
        xid,
        ..offer.clone()
    });
    stand.take(&Reply {
        mac: Mac([2; 6]),
        ..offer.clone()
    });
    let mut request = offer.bytes();
    request[0] = 1;
    stand.take_bytes(&request);
    let mut long = offer.bytes();
    long[2] = 200;
    stand.take_bytes(&long);
    stand.take(&offer.clone().without(53));
    stand.take(&offer.clone().with(53, &[1]));
    stand.take(&stand.ack());
    stand.take_bytes(&offer.bytes()[..250]);
    stand.take_bytes(b"");
    stand.expect(&[
        "wrong DISCOVER ForeignTransaction",
        "wrong DISCOVER ForeignTransaction",
        "wrong DISCOVER not a reply at byte 0",
        "wrong DISCOVER ForeignTransaction",
        "wrong DISCOVER Incomplete",
        "wrong DISCOVER a client's message type in a reply at byte 240",
        "wrong DISCOVER an answer to a REQUEST never sent at byte 240",
        "wrong DISCOVER options end inside an option at byte 249",
        "wrong DISCOVER message ends inside the fixed header at byte 0",
    ]);
    stand.take(&offer);
    assert_eq!(stand.sent.len(), 2, "the real offer still counts");
}

#[test]
fn reports_no_more_than_the_limit_in_one_transaction() {
    let mut stand = Stand::started(udhcp());
    stand.ladder.clear();
    for _ in 0..1_000 {
        stand.take_bytes(b"junk");
    }
    assert_eq!(stand.ladder.len(), 65);
    assert!(stand.ladder[64].starts_with("LimitReached { limit: Strays"));
    stand.take(&stand.offer());
    stand.take(&stand.ack());
    assert!(stand.client.lease().is_some(), "and goes on working");
    stand.wait();
    stand.ladder.clear();
    stand.take_bytes(b"junk");
    assert_eq!(stand.ladder.len(), 1, "a renewal counts anew");
}

#[test]
fn keeps_what_its_sources_use_and_nothing_else() {
    let mut stand = Stand::requesting(udhcp());
    let long = vec![b'x'; 300];
    let ack = stand.ack().with(3, &[10, 0, 0, 1]).with(15, b"example");
    let ack = ack.with(67, &long).with(66, b"192.168.50.92\0");
    stand.take(&ack);
    let lease = stand.client.lease().unwrap();
    let codes: Vec<u8> = lease.options.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [66, 67]);
    assert_eq!(lease.option(66), Some(&b"192.168.50.92\0"[..]));
    assert_eq!(lease.text(66), Some("192.168.50.92"));
    assert_eq!(lease.option(67), Some(&long[..]), "split on the wire");
    assert_eq!((lease.option(3), lease.text(160)), (None, None));
}

#[test]
fn keeps_an_option_once_that_two_sources_use() {
    let mut profile = profile(udhcp());
    profile.sources.push(source(67, Some(66)));
    let mut stand = Stand::of(profile);
    stand.start(false);
    stand.take(&stand.offer());
    stand.take(&stand.ack().with(66, b"a").with(67, b"b"));
    assert_eq!(stand.client.lease().unwrap().options.len(), 2);
}

#[test]
fn keeps_no_oversized_option() {
    let mut stand = Stand::requesting(udhcp());
    stand.ladder.clear();
    stand.take(&stand.ack().with(66, &[b'x'; URL_BYTES_MAX + 1]));
    let limit = "LimitReached { limit: UrlBytes, value: 2048 }";
    assert!(stand.ladder.iter().any(|line| line == limit));
    assert!(stand.client.lease().unwrap().options.is_empty());
}

#[test]
fn reads_options_that_moved_into_the_file_field() {
    let mut stand = Stand::requesting(udhcp());
    let mut ack = stand.ack().with(52, &[1]).bytes();
    ack[108..117].copy_from_slice(b"\x42\x0610.0.0\xff");
    stand.take_bytes(&ack);
    assert_eq!(stand.client.lease().unwrap().text(66), Some("10.0.0"));
}

#[test]
fn sets_the_broadcast_flag_only_while_it_has_no_address() {
    let mut stand = Stand::bound(
        DhcpSpec {
            broadcast: true,
            ..udhcp()
        },
        1000,
    );
    stand.wait();
    let flags = |sent: &Vec<u8>| Message::decode(sent).unwrap().broadcast();
    let flags: Vec<bool> = stand.sent.iter().map(flags).collect();
    assert_eq!(flags, [true, true, false]);
}

#[test]
fn gives_its_lease_back() {
    let mut stand = Stand::bound(udhcp(), 1000);
    stand.release();
    stand.expect(&["Release → 192.168.50.92:67", "no address", "LeaseReleased"]);
    assert_eq!(stand.codes(), [53, 61, 54]);
    assert_eq!(stand.last().ciaddr(), ADDRESS);
    assert_eq!(stand.last().address(54), Some(SERVER));
    assert_eq!(stand.client.deadline(), None);
    assert!(stand.client.lease().is_none());
    stand.take(&stand.ack());
    stand.expect(&[]);
}

#[test]
fn declines_an_address_that_another_host_uses_and_starts_over_after_ten_seconds() {
    let mut stand = Stand::requesting(DhcpSpec {
        broadcast: true,
        ..udhcp()
    });
    stand.ladder.clear();
    stand.taken(Ipv4Addr::new(192, 0, 2, 9));
    stand.expect(&[]);
    stand.taken(ADDRESS);
    stand.expect(&[
        "Decline → 255.255.255.255:67",
        "AddressTaken(192.168.50.10)",
    ]);
    assert_eq!(stand.codes(), [53, 61, 50, 54]);
    assert!(stand.last().ciaddr().is_unspecified());
    assert!(!stand.last().broadcast(), "RFC 2131 table 5");
    assert_eq!(stand.last().address(50), Some(ADDRESS));
    stand.take(&stand.ack());
    assert!(stand.client.lease().is_none(), "it asks for nothing now");
    stand.ladder.clear();
    assert!(stand.wait() >= 10_000);
    stand.expect(&["Discover → 255.255.255.255:67", "sent DISCOVER 548"]);
}

#[test]
fn gives_up_a_lease_whose_address_another_host_takes() {
    let mut stand = Stand::bound(udhcp(), 1000);
    stand.taken(ADDRESS);
    stand.expect(&[
        "Decline → 255.255.255.255:67",
        "no address",
        "AddressTaken(192.168.50.10)",
    ]);
    assert!(stand.client.lease().is_none());
}

#[test]
fn stops_without_a_word_where_there_is_no_lease() {
    let mut stand = Stand::requesting(udhcp());
    stand.ladder.clear();
    stand.release();
    stand.expect(&[]);
    assert_eq!(stand.client.deadline(), None);
}

#[test]
fn forgets_its_lease_when_it_starts_again() {
    let mut stand = Stand::bound(udhcp(), 1000);
    stand.start(false);
    stand.expect(&[
        "no address",
        "Discover → 255.255.255.255:67",
        "sent DISCOVER 548",
    ]);
    assert!(stand.client.lease().is_none());
}

#[test]
fn stays_small() {
    assert!(
        size_of::<DhcpClient>() <= 160,
        "{}",
        size_of::<DhcpClient>()
    );
}

/// What a hostile world can do.
#[derive(Debug, Clone)]
enum Act {
    Wait,
    After(u64),
    Junk(Vec<u8>),
    Reply(u8, Ipv4Addr, Vec<(u8, Vec<u8>)>),
    Start,
    Release,
    Taken,
}

fn acts() -> impl Strategy<Value = Act> {
    let junk = prop::collection::vec(any::<u8>(), 0..300);
    let option = (
        prop_oneof![
            Just(51_u8),
            Just(54),
            Just(58),
            Just(59),
            Just(66),
            any::<u8>()
        ],
        prop_oneof![
            any::<[u8; 4]>().prop_map(Vec::from),
            prop::collection::vec(any::<u8>(), 0..9)
        ],
    );
    let options = prop::collection::vec(option, 0..6);
    let address = prop_oneof![Just(ADDRESS), any::<u32>().prop_map(Ipv4Addr::from)];
    prop_oneof![
        4 => Just(Act::Wait),
        1 => (0_u64..10_000_000).prop_map(Act::After),
        1 => junk.prop_map(Act::Junk),
        6 => (0_u8..10, address, options).prop_map(|(kind, yiaddr, options)| {
            Act::Reply(kind, yiaddr, options)
        }),
        1 => Just(Act::Start),
        1 => Just(Act::Release),
        1 => Just(Act::Taken),
    ]
}

proptest! {
    /// Whatever comes: no panic, an address is held exactly while there is a lease, and every
    /// tick moves the deadline on, so that no driver spins.
    #[test]
    fn survives_any_course(
        acts in prop::collection::vec(acts(), 0..60),
        constant_xid: bool,
        window: bool,
    ) {
        let offer_window = if window { seconds(5) } else { Duration::ZERO };
        let mut stand = Stand::started(DhcpSpec { constant_xid, offer_window, ..udhcp() });
        let mut addressed = false;
        for act in acts {
            match act {
                Act::Wait => {
                    if stand.client.deadline().is_some_and(|due| due < stand.now) {
                        stand.step(DhcpClient::tick);
                    } else if stand.client.deadline().is_some() {
                        stand.wait();
                    }
                    prop_assert!(stand.client.deadline().is_none_or(|due| due > stand.now));
                }
                Act::After(millis) => stand.after(millis),
                Act::Junk(bytes) => stand.take_bytes(&bytes),
                Act::Reply(kind, yiaddr, options) => {
                    let mut reply = stand.ack().gives(yiaddr).with(53, &[kind]);
                    for (code, value) in options {
                        reply = reply.with(code, &value);
                    }
                    stand.take(&reply);
                }
                Act::Start => stand.start(true),
                Act::Release => stand.release(),
                Act::Taken => stand.taken(ADDRESS),
            }
            for line in stand.ladder.drain(..) {
                match line.as_str() {
                    "no address" => addressed = false,
                    line if line.starts_with("address ") => addressed = true,
                    _ => {}
                }
            }
            prop_assert_eq!(addressed, stand.client.lease().is_some());
            let lost = stand.news == Some(LeaseNews::Lost);
            prop_assert!(!lost || !addressed);
        }
    }
}

mod chosen;
