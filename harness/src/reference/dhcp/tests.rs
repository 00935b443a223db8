use super::*;
use dhcproto::v4::DhcpOption;
use dhcproto::{Decodable, Decoder};
use proptest::prelude::*;
use std::collections::BTreeSet;

const PHONE: [u8; 6] = [0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d];
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 92);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn config() -> DhcpConfig {
    let mut config = DhcpConfig::new(
        SERVER,
        Ipv4Addr::new(192, 168, 50, 100),
        Ipv4Addr::new(192, 168, 50, 102),
        Ipv4Addr::new(255, 255, 255, 0),
    );
    config.pools[0].routers = vec![Ipv4Addr::new(192, 168, 50, 1)];
    config.pools[0].name_servers = vec![Ipv4Addr::new(192, 168, 50, 1)];
    config
}

/// A server and its clients, by datagrams.
struct Site {
    dhcp: Dhcp,
    counters: Arc<Counters>,
    now: Moment,
    peer: SocketAddrV4,
}

impl Site {
    fn new(config: DhcpConfig) -> Self {
        let counters = Arc::<Counters>::default();
        Self {
            dhcp: Dhcp::new(config, Arc::clone(&counters)),
            counters,
            now: Moment::from_millis(5),
            peer: SocketAddrV4::new(NOBODY, 68),
        }
    }

    fn raw(&mut self, bytes: &[u8]) -> Vec<(SocketAddrV4, Vec<u8>)> {
        let mut replies = Replies::default();
        self.dhcp.datagram(self.now, self.peer, bytes, &mut replies);
        replies
            .iter()
            .map(|(datagram, bytes)| (datagram.to, bytes.to_vec()))
            .collect()
    }

    fn ask(&mut self, message: &Message) -> Option<(SocketAddrV4, Message)> {
        let mut answers = self.raw(&message.to_vec().unwrap());
        assert!(answers.len() <= 1);
        let (to, bytes) = answers.pop()?;
        let message = Message::decode(&mut Decoder::new(&bytes)).unwrap();
        Some((to, message))
    }

    fn kind(&mut self, message: &Message) -> Option<MessageType> {
        self.ask(message)
            .and_then(|(_, reply)| reply.opts().msg_type())
    }

    /// DISCOVER, OFFER, REQUEST, ACK.
    fn boot(&mut self, mac: [u8; 6]) -> Option<Ipv4Addr> {
        let (_, offer) = self.ask(&client(mac, MessageType::Discover, &[]))?;
        let (_, ack) = self.ask(&select(mac, offer.yiaddr()))?;
        assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
        assert_eq!(ack.yiaddr(), offer.yiaddr());
        Some(ack.yiaddr())
    }

    fn count(&self, counter: Counter) -> u64 {
        self.counters.value(counter)
    }
}

fn client(mac: [u8; 6], kind: MessageType, options: &[DhcpOption]) -> Message {
    let mut message = Message::new_with_id(0xf844_8829, NOBODY, NOBODY, NOBODY, NOBODY, &mac);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    for option in options {
        message.opts_mut().insert(option.clone());
    }
    message
}

fn select(mac: [u8; 6], address: Ipv4Addr) -> Message {
    let options = [
        DhcpOption::RequestedIpAddress(address),
        DhcpOption::ServerIdentifier(SERVER),
    ];
    client(mac, MessageType::Request, &options)
}

fn mac(number: u8) -> [u8; 6] {
    [0, 0x21, 0xf2, 0, 0, number]
}

#[test]
fn offers_the_options_and_the_size_of_the_trace() {
    let mut config = config();
    config.rules = vec![Rule {
        when: Match::Oui([0x00, 0x21, 0xf2]),
        options: vec![OptionValue::text(66, "192.168.50.92")],
    }];
    let mut site = Site::new(config);
    let wanted: Vec<_> = [1, 3, 6, 12, 15, 28, 42, 66].map(OptionCode::from).into();
    let discover = client(
        PHONE,
        MessageType::Discover,
        &[DhcpOption::ParameterRequestList(wanted)],
    );
    let answers = site.raw(&discover.to_vec().unwrap());
    let (to, bytes) = &answers[0];
    // FLY-65: a frame of 343 bytes, so a message of 301 with 61 bytes of options.
    assert_eq!(bytes.len() + 42, 343);
    let codes: Vec<_> = options(bytes).map(|(code, _)| code).collect();
    assert_eq!(codes, [53, 54, 1, 3, 6, 51, 58, 59, 66]);
    assert_eq!(*to, SocketAddrV4::new(Ipv4Addr::BROADCAST, 68));
    let reply = Message::decode(&mut Decoder::new(bytes)).unwrap();
    assert_eq!(reply.xid(), 0xf844_8829);
    assert_eq!(reply.opcode(), Opcode::BootReply);
    assert_eq!(reply.chaddr(), PHONE);
    let seconds = |code| reply.opts().get(code).cloned().unwrap();
    assert_eq!(
        seconds(OptionCode::AddressLeaseTime),
        DhcpOption::AddressLeaseTime(3_600)
    );
    assert_eq!(seconds(OptionCode::Renewal), DhcpOption::Renewal(1_800));
    assert_eq!(seconds(OptionCode::Rebinding), DhcpOption::Rebinding(3_150));
}

#[test]
fn a_phone_keeps_its_address_over_boots_and_releases() {
    let mut site = Site::new(config());
    let first = site.boot(mac(1)).unwrap();
    let other = site.boot(mac(2)).unwrap();
    assert_ne!(first, other);
    assert_eq!(site.boot(mac(1)), Some(first));
    let mut release = client(mac(1), MessageType::Release, &[]);
    release.set_ciaddr(first);
    assert!(site.ask(&release).is_none());
    assert_eq!(site.boot(mac(1)), Some(first));
    assert_eq!(site.count(Counter::DhcpOffer), 4);
    assert_eq!(site.count(Counter::DhcpAck), 4);
    assert_eq!(site.count(Counter::DhcpRelease), 1);
}

#[test]
fn an_exhausted_pool_stays_silent_until_a_lease_ends() {
    let mut site = Site::new(config());
    let taken: BTreeSet<_> = (1..=3)
        .map(|number| site.boot(mac(number)).unwrap())
        .collect();
    assert_eq!(taken.len(), 3);
    assert_eq!(site.boot(mac(4)), None);
    assert_eq!(site.count(Counter::DhcpExhausted), 1);
    // The second phone gives its lease back, the fourth takes it over.
    let second = site.dhcp.pools[0]
        .leases
        .of(Client::new(&mac(2)).unwrap())
        .unwrap();
    let mut release = client(mac(2), MessageType::Release, &[]);
    release.set_ciaddr(second);
    site.ask(&release);
    assert_eq!(site.boot(mac(4)), Some(second));
    assert_eq!(site.boot(mac(2)), None);
    // All leases run out: three new phones find room, and the old ones none.
    site.now = site.now + Duration::from_secs(3_601);
    for number in 11..=13 {
        assert!(site.boot(mac(number)).is_some_and(|it| taken.contains(&it)));
    }
    assert_eq!(site.boot(mac(1)), None);
}

#[test]
fn an_offer_that_is_not_taken_up_ends_after_its_hold() {
    let mut site = Site::new(config());
    for number in 1..=3 {
        assert!(
            site.ask(&client(mac(number), MessageType::Discover, &[]))
                .is_some()
        );
    }
    let late = client(mac(4), MessageType::Discover, &[]);
    assert!(site.ask(&late).is_none());
    site.now = site.now + OFFER_HOLD;
    assert!(site.ask(&late).is_some());
}

#[test]
fn renewing_and_rebinding_prolong_the_lease() {
    let mut site = Site::new(config());
    let address = site.boot(PHONE).unwrap();
    for _ in 0..5 {
        site.now = site.now + Duration::from_secs(3_000);
        let mut renew = client(PHONE, MessageType::Request, &[]);
        renew.set_ciaddr(address);
        let (to, ack) = site.ask(&renew).unwrap();
        assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
        assert_eq!((ack.ciaddr(), ack.yiaddr()), (address, address));
        assert_eq!(to, SocketAddrV4::new(address, 68));
    }
    for number in 1..=2 {
        site.boot(mac(number)).unwrap();
    }
    assert_eq!(site.boot(mac(3)), None);
}

#[test]
fn refuses_addresses_that_are_not_the_clients() {
    let mut site = Site::new(config());
    let address = site.boot(PHONE).unwrap();
    let refused = [
        select(mac(9), address),
        select(PHONE, Ipv4Addr::new(192, 168, 50, 101)),
        client(
            mac(9),
            MessageType::Request,
            &[DhcpOption::RequestedIpAddress(Ipv4Addr::new(10, 0, 0, 1))],
        ),
    ];
    for request in refused {
        let (to, nak) = site.ask(&request).unwrap();
        assert_eq!(nak.opts().msg_type(), Some(MessageType::Nak));
        assert_eq!(nak.yiaddr(), NOBODY);
        assert_eq!(to, SocketAddrV4::new(Ipv4Addr::BROADCAST, 68));
        assert!(nak.opts().get(OptionCode::AddressLeaseTime).is_none());
    }
    assert_eq!(site.count(Counter::DhcpNak), 3);
    // A phone that reboots and remembers is confirmed, also by a server that forgot.
    let reboot = |address| {
        let wish = [DhcpOption::RequestedIpAddress(address)];
        client(PHONE, MessageType::Request, &wish)
    };
    assert_eq!(site.kind(&reboot(address)), Some(MessageType::Ack));
    let mut fresh = Site::new(config());
    assert_eq!(fresh.kind(&reboot(address)), Some(MessageType::Ack));
}

#[test]
fn leaves_phones_to_the_server_that_they_chose() {
    let mut site = Site::new(config());
    site.ask(&client(PHONE, MessageType::Discover, &[]))
        .unwrap();
    let options = [
        DhcpOption::RequestedIpAddress(Ipv4Addr::new(192, 168, 50, 7)),
        DhcpOption::ServerIdentifier(Ipv4Addr::new(192, 168, 50, 2)),
    ];
    assert!(
        site.ask(&client(PHONE, MessageType::Request, &options))
            .is_none()
    );
    // Its offer is free again.
    for number in 1..=3 {
        assert!(site.boot(mac(number)).is_some());
    }
}

#[test]
fn sets_a_declined_address_apart() {
    let mut site = Site::new(config());
    let address = site.boot(PHONE).unwrap();
    let wish = [DhcpOption::RequestedIpAddress(address)];
    assert!(
        site.ask(&client(PHONE, MessageType::Decline, &wish))
            .is_none()
    );
    let next = site.boot(PHONE).unwrap();
    assert_ne!(next, address);
    assert!(site.boot(mac(1)).is_some_and(|it| it != address));
    assert_eq!(site.boot(mac(2)), None);
    site.now = site.now + Duration::from_secs(3_600);
    assert_eq!(site.boot(mac(2)), Some(address));
}

#[test]
fn informs_without_leasing() {
    let mut site = Site::new(config());
    let mut inform = client(PHONE, MessageType::Inform, &[]);
    inform.set_ciaddr(Ipv4Addr::new(192, 168, 50, 200));
    let (to, ack) = site.ask(&inform).unwrap();
    assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
    assert_eq!(ack.yiaddr(), NOBODY);
    assert!(ack.opts().get(OptionCode::SubnetMask).is_some());
    assert!(ack.opts().get(OptionCode::AddressLeaseTime).is_none());
    assert_eq!(to, SocketAddrV4::new(Ipv4Addr::new(192, 168, 50, 200), 68));
}

#[test]
fn answers_a_relayed_message_to_its_source_or_to_the_relay() {
    let relay = Ipv4Addr::new(127, 9, 0, 1);
    let mut discover = client(PHONE, MessageType::Discover, &[]);
    discover.set_giaddr(relay);
    let source = SocketAddrV4::new(Ipv4Addr::new(127, 9, 0, 5), 40_000);
    let mut site = Site::new(config());
    site.peer = source;
    let (to, offer) = site.ask(&discover).unwrap();
    assert_eq!((to, offer.giaddr()), (source, relay));
    let mut settings = config();
    settings.relay_answer = RelayAnswer::Relay;
    let mut site = Site::new(settings);
    site.peer = source;
    let (to, _) = site.ask(&discover).unwrap();
    assert_eq!(to, SocketAddrV4::new(relay, 67));
    let mut wrong = select(PHONE, Ipv4Addr::new(10, 0, 0, 1));
    wrong.set_giaddr(relay);
    let (_, nak) = site.ask(&wrong).unwrap();
    assert!(nak.flags().broadcast());
}

#[test]
fn returns_the_relays_own_option_unchanged_and_last() {
    let mut site = Site::new(config());
    let mut bytes = client(PHONE, MessageType::Discover, &[]).to_vec().unwrap();
    assert_eq!(bytes.pop(), Some(255));
    bytes.extend_from_slice(&[82, 6, 1, 4, 9, 8, 7, 6, 255]);
    let (_, reply) = site.raw(&bytes).pop().unwrap();
    let last = options(&reply).last().unwrap();
    assert_eq!(last, (82, &[1, 4, 9, 8, 7, 6][..]));
}

#[test]
fn chooses_the_pool_by_relay_then_by_network() {
    let mut settings = config();
    let pool = |relay: Option<[u8; 4]>, third: u8| Pool {
        relay: relay.map(Ipv4Addr::from),
        client: None,
        first: Ipv4Addr::new(10, 0, third, 10),
        last: Ipv4Addr::new(10, 0, third, 20),
        mask: Ipv4Addr::new(255, 255, 255, 0),
        routers: vec![],
        name_servers: vec![],
    };
    settings
        .pools
        .extend([pool(None, 1), pool(Some([127, 0, 0, 2]), 2)]);
    let mut site = Site::new(settings);
    let mut third_octet = |relay: [u8; 4]| {
        let mut discover = client(PHONE, MessageType::Discover, &[]);
        discover.set_giaddr(Ipv4Addr::from(relay));
        site.ask(&discover).unwrap().1.yiaddr().octets()[2]
    };
    assert_eq!(third_octet([127, 0, 0, 2]), 2);
    assert_eq!(third_octet([10, 0, 1, 1]), 1);
    assert_eq!(third_octet([127, 0, 0, 3]), 50);
    assert_eq!(third_octet([0, 0, 0, 0]), 50);
    let mut closed = config();
    closed.pools[0].relay = Some(Ipv4Addr::new(127, 0, 0, 2));
    let mut site = Site::new(closed);
    assert!(
        site.ask(&client(PHONE, MessageType::Discover, &[]))
            .is_none()
    );
    assert_eq!(site.count(Counter::DhcpNoPool), 1);
}

#[test]
fn serves_nobody_but_those_who_have_a_pool_of_their_own() {
    let mut settings = config();
    let (mine, other) = (Mac([0, 0x21, 0xf2, 0, 0, 1]), Mac([0, 0x21, 0xf2, 0, 0, 2]));
    let mut pool = settings.pools.remove(0);
    pool.client = Some(mine);
    (pool.first, pool.last) = ([192, 168, 50, 102].into(), [192, 168, 50, 102].into());
    settings.pools = vec![pool.clone()];
    let mut site = Site::new(settings.clone());
    let discover = |mac: Mac| {
        let mut message = client(PHONE, MessageType::Discover, &[]);
        message.set_chaddr(&mac.0);
        message
    };
    let offered = site.ask(&discover(mine)).unwrap().1.yiaddr();
    assert_eq!(offered, Ipv4Addr::new(192, 168, 50, 102));
    assert!(site.ask(&discover(other)).is_none());
    let mut relayed = discover(other);
    relayed.set_giaddr(Ipv4Addr::new(192, 168, 50, 1));
    assert!(site.ask(&relayed).is_none(), "not by a relay either");
    assert_eq!(site.count(Counter::DhcpNoPool), 2);
    // Beside a pool for all, its own counts for the one.
    settings.pools.push(config().pools.remove(0));
    let mut site = Site::new(settings);
    assert_eq!(site.ask(&discover(mine)).unwrap().1.yiaddr(), offered);
    assert_ne!(site.ask(&discover(other)).unwrap().1.yiaddr(), offered);
}

fn option_texts(site: &mut Site, message: &Message) -> Vec<(u8, String)> {
    let (_, bytes) = site.raw(&message.to_vec().unwrap()).pop().unwrap();
    options(&bytes)
        .filter(|(code, _)| !matches!(code, 1 | 3 | 6 | 50..60))
        .map(|(code, data)| (code, String::from_utf8_lossy(data).into_owned()))
        .collect()
}

#[test]
fn rules_give_options_by_vendor_class_and_address() {
    let rule = |when, options: &[(u8, &str)]| Rule {
        when,
        options: options
            .iter()
            .map(|(code, text)| OptionValue::text(*code, text))
            .collect(),
    };
    let mut settings = config();
    settings.rules = vec![
        rule(Match::Mac(Mac(mac(7))), &[(66, "own")]),
        rule(Match::Any, &[(66, "all"), (67, "boot")]),
        rule(Match::Oui([0, 0x21, 0xf2]), &[(66, "oui")]),
        rule(
            Match::ClassPrefix(b"Fanvil".to_vec()),
            &[(43, "raw"), (66, "class")],
        ),
        Rule {
            when: Match::Any,
            options: vec![OptionValue::text(114, "http://x/").always()],
        },
    ];
    let mut site = Site::new(settings);
    let class = |text: &str| DhcpOption::ClassIdentifier(text.as_bytes().to_vec());
    let wants = |codes: &[u8]| {
        DhcpOption::ParameterRequestList(codes.iter().copied().map(OptionCode::from).collect())
    };
    let mut ask = |mac, options: &[DhcpOption]| {
        option_texts(&mut site, &client(mac, MessageType::Discover, options))
            .into_iter()
            .map(|(code, text)| format!("{code}={text}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let stranger = [0x0c, 0x38, 0x3e, 0, 0, 1];
    assert_eq!(ask(stranger, &[]), "66=all 67=boot 114=http://x/");
    let fanvil = class("Fanvil X4");
    assert_eq!(
        ask(stranger, &[fanvil]),
        "66=class 67=boot 43=raw 114=http://x/"
    );
    assert_eq!(ask(mac(1), &[]), "66=oui 67=boot 114=http://x/");
    assert_eq!(ask(mac(7), &[]), "66=own 67=boot 114=http://x/");
    assert_eq!(ask(mac(1), &[wants(&[1, 66])]), "66=oui 114=http://x/");
}

#[test]
fn leaves_out_options_for_which_the_client_has_no_room() {
    let mut settings = config();
    settings.rules = vec![Rule {
        when: Match::Any,
        options: vec![
            OptionValue::text(66, "192.168.50.92"),
            OptionValue::bytes(43, &[7; 400]),
            OptionValue::text(67, "boot"),
        ],
    }];
    let mut site = Site::new(settings);
    let small = client(PHONE, MessageType::Discover, &[]).to_vec().unwrap();
    let (_, reply) = site.raw(&small).pop().unwrap();
    let codes: Vec<_> = options(&reply).map(|(code, _)| code).collect();
    assert!(codes.ends_with(&[66, 67]), "{codes:?}");
    assert!(reply.len() <= MESSAGE_BYTES_MIN);
    assert_eq!(site.count(Counter::DhcpOptionLeftOut), 1);
    let large = client(
        PHONE,
        MessageType::Discover,
        &[DhcpOption::MaxMessageSize(1_500)],
    );
    let (_, reply) = site.raw(&large.to_vec().unwrap()).pop().unwrap();
    // dhcproto's borrowing reader joins the parts (RFC 3396); its owning one keeps the last only.
    let joined = borrowed::Message::new(&reply).unwrap();
    let long = joined
        .opts()
        .find(|it| it.code() == OptionCode::VendorExtensions);
    assert_eq!(long.unwrap().data(), [7; 400]);
}

#[test]
fn counts_what_it_cannot_read_and_does_not_answer() {
    let good = client(PHONE, MessageType::Discover, &[]).to_vec().unwrap();
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let mut site = Site::new(config());
    let malformed = [
        Vec::new(),
        good[..239].to_vec(),
        broken(&|bytes| bytes[2] = 17),
        broken(&|bytes| bytes[2] = 255),
        broken(&|bytes| bytes[236] = 0),
        broken(&|bytes| *bytes.last_mut().unwrap() = 66),
        broken(&|bytes| {
            bytes.pop();
            bytes.extend([66, 200, 1]);
        }),
    ];
    for bytes in &malformed {
        assert!(site.raw(bytes).is_empty());
    }
    assert_eq!(site.count(Counter::DhcpMalformed), malformed.len() as u64);
    let mut reply = Message::new_with_id(1, NOBODY, NOBODY, NOBODY, NOBODY, &PHONE);
    reply.set_opcode(Opcode::BootReply);
    let bootp = Message::new_with_id(1, NOBODY, NOBODY, NOBODY, NOBODY, &PHONE);
    for message in [reply, bootp, client(PHONE, MessageType::Offer, &[])] {
        let mut bytes = message.to_vec().unwrap();
        bytes.push(255);
        assert!(site.raw(&bytes).is_empty());
    }
    assert_eq!(site.count(Counter::DhcpIgnored), 3);
}

#[test]
fn many_releases_do_not_grow_the_tables() {
    let mut site = Site::new(config());
    for _ in 0..1_000 {
        let address = site.boot(PHONE).unwrap();
        let mut release = client(PHONE, MessageType::Release, &[]);
        release.set_ciaddr(address);
        site.ask(&release);
    }
    assert!(site.dhcp.pools[0].leases.slots() <= 3);
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(
        tail in prop::collection::vec(any::<u8>(), 0..300),
        places in prop::collection::vec((0_usize..300, any::<u8>()), 0..8),
    ) {
        let mut site = Site::new(config());
        site.raw(&tail);
        let mut bytes = client(PHONE, MessageType::Request, &[]).to_vec().unwrap();
        bytes.pop();
        bytes.extend(tail);
        for (place, value) in places {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
        }
        for (_, reply) in site.raw(&bytes) {
            prop_assert!(Message::decode(&mut Decoder::new(&reply)).is_ok());
        }
    }

    #[test]
    fn no_two_phones_ever_hold_the_same_address(
        steps in prop::collection::vec((0_u8..8, 0_u8..5, 0_u8..4, 0_u16..4_000), 1..120),
    ) {
        let mut site = Site::new(config());
        let mut held: Vec<(u8, Ipv4Addr, Moment)> = Vec::new();
        for (phone, action, address, wait) in steps {
            site.now = site.now + Duration::from_secs(u64::from(wait / 4));
            held.retain(|(_, _, until)| *until > site.now);
            let address = Ipv4Addr::new(192, 168, 50, 99 + address);
            let mut message = match action {
                0 => client(mac(phone), MessageType::Discover, &[]),
                1 => select(mac(phone), address),
                2 => client(mac(phone), MessageType::Request, &[]),
                3 => client(mac(phone), MessageType::Release, &[]),
                _ => {
                    let wish = [DhcpOption::RequestedIpAddress(address)];
                    client(mac(phone), MessageType::Request, &wish)
                }
            };
            if matches!(action, 2 | 3) {
                message.set_ciaddr(address);
            }
            let reply = site.ask(&message);
            if action == 3 {
                held.retain(|(other, its, _)| (*other, *its) != (phone, address));
            }
            let Some((_, reply)) = reply else { continue };
            if reply.opts().msg_type() == Some(MessageType::Ack) {
                let given = reply.yiaddr();
                prop_assert!(!held.iter().any(|(other, its, _)| *other != phone && *its == given));
                held.retain(|(other, _, _)| *other != phone);
                held.push((phone, given, site.now + Duration::from_secs(3_600)));
            }
        }
    }
}
