//! A SIP client that registers once (RFC 3261 §10.2, §22).

use bootstorm_emulator::phone::io::{Channel, Input};
use bootstorm_emulator::rng::Rng;
use bootstorm_emulator::transfer::http::AuthMethod;
use bootstorm_emulator::transfer::http::auth::{Challenge, Grant, Login};
use bootstorm_emulator::wire::port;
use bootstorm_emulator::wire::sip::{self, Message};
use bootstorm_scenarios::suite::probe::SipRegister;

use super::{Flow, Turn};

/// A registration under way.
#[derive(Debug)]
pub(super) struct Registering {
    login: Login,
    address: String,
    domain: String,
    expires: u32,
    call: u64,
    tag: u32,
    sequence: u32,
    proven: bool,
}

impl Registering {
    /// Sends the first REGISTER.
    pub(super) fn begin(turn: &mut Turn<'_>, spec: &SipRegister) -> Self {
        let me = turn.me;
        let user = me.text(&spec.user);
        let domain = spec.domain.as_ref().map(|it| me.text(it));
        let domain = domain.unwrap_or_else(|| me.plan.server.to_string());
        let auth_user = spec.auth_user.as_ref().map(|it| me.text(it));
        let mut registering = Self {
            login: Login {
                user: auth_user.unwrap_or_else(|| user.clone()),
                password: me.text(&spec.password),
            },
            address: format!("sip:{}@{domain}", sip::escaped(&user)),
            domain,
            expires: spec.expires,
            call: turn.kept.rng.next_u64(),
            tag: turn.kept.rng.next_u32(),
            sequence: 0,
            proven: false,
        };
        registering.send(turn, None);
        registering
    }

    pub(super) fn take(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Flow {
        let Input::Datagram {
            channel: Channel::Sip,
            bytes,
            ..
        } = input
        else {
            return Flow::More;
        };
        let Ok(message) = Message::parse(bytes) else {
            return Flow::More;
        };
        let Some(status) = message.status() else {
            return Flow::More;
        };
        if message
            .cseq()
            .is_none_or(|(number, _)| number != self.sequence)
            || status < 200
        {
            return Flow::More;
        }
        let (name, proof) = match status {
            401 => ("WWW-Authenticate", "Authorization"),
            407 => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return Flow::Done,
        };
        if self.proven {
            return Flow::Done;
        }
        let fields = message
            .all(name)
            .map(|value| String::from_utf8_lossy(value).into_owned());
        let fields: Vec<_> = fields.collect();
        let Some(challenge) = Challenge::choose(&fields, AuthMethod::Digest) else {
            return Flow::Done;
        };
        self.proven = true;
        let mut rng = Rng::new(turn.kept.rng.next_u64());
        let mut grant = Grant::new(challenge, &mut rng);
        let uri = format!("sip:{}", self.domain);
        let value = grant.authorization(&self.login, "REGISTER", &uri);
        self.send(turn, Some((proof, value)));
        Flow::More
    }

    fn send(&mut self, turn: &mut Turn<'_>, proof: Option<(&str, String)>) {
        self.sequence += 1;
        let me = turn.me;
        let (address, port) = (me.address, turn.port(Channel::Sip));
        let branch = turn.kept.rng.next_u64();
        let uri = format!("sip:{}", self.domain);
        let user = self.address.split('@').next().unwrap_or_default();
        let contact = format!("<{user}@{address}:{port}>");
        let to = me.server(port::SIP);
        turn.out.send(Channel::Sip, to, |out| {
            let mut writer = sip::Writer::request(out, "REGISTER", &uri, b"")
                .header(
                    "Via",
                    format!("SIP/2.0/UDP {address}:{port};branch=z9hG4bK{branch:016x}"),
                )
                .header("From", format!("<{}>;tag={:08x}", self.address, self.tag))
                .header("To", format!("<{}>", self.address))
                .header("Call-ID", format!("{:016x}@{address}", self.call))
                .header("CSeq", format!("{} REGISTER", self.sequence))
                .header("Contact", contact)
                .header("Max-Forwards", "70")
                .header("Expires", self.expires.to_string());
            if let Some((name, value)) = proof {
                writer = writer.header(name, value);
            }
            writer.finish();
        });
    }
}
