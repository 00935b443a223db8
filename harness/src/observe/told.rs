//! What a connection tells the phones at its ends, in the words of a record: it opens, stands,
//! carries bytes, closes or fails.

use std::net::SocketAddrV4;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::wire::port;
use bootstorm_scenarios::wire::{Part, failure};

use super::ftp::{self, Control};
use super::host::{Hosts, Place, Secured, Told};
use super::segment::{Beyond, Key, Piece, way};
use super::tls::Watch;

/// Ports at which nobody speaks TLS from the first byte on.
const PLAIN: [u16; 4] = [port::FTP, port::HTTP, port::SIP, 7_547];
/// After so long without an answer an end has given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection as the phones at its ends know it.
#[derive(Debug)]
pub(super) struct Line {
    ends: [SocketAddrV4; 2],
    /// The stations at the ends that are listened to, and their numbers for it.
    hosts: [Option<(usize, u32)>; 2],
    speech: Speech,
    /// It began, and that was not told yet: whether it is TLS shows later.
    begun: Option<Place>,
    stands: Option<Place>,
    has_stood: bool,
    tls: bool,
    /// Who said first that it says no more.
    closing: Option<(usize, Place)>,
    over: bool,
    /// It was asked for again, last then.
    again: Option<Place>,
    /// Bytes that an end got since it sent anything.
    received: [usize; 2],
    /// The port that the peer had before what was inside TLS was shown in plain.
    port: Option<u16>,
}

#[derive(Debug)]
enum Speech {
    Unsaid,
    Plain,
    Tls(Box<Watch>, [Option<usize>; 2]),
    Ftp(Box<Control>),
    /// The data of an FTP control connection.
    Data(Key),
}

impl Line {
    pub(super) fn new(ends: [SocketAddrV4; 2], hosts: [Option<(usize, u32)>; 2]) -> Self {
        Self {
            ends,
            hosts,
            speech: Speech::Unsaid,
            begun: None,
            stands: None,
            has_stood: false,
            tls: false,
            closing: None,
            over: false,
            again: None,
            received: [0; 2],
            port: None,
        }
    }

    /// It is the data connection of this control connection.
    pub(super) fn carries(&mut self, control: Key) {
        self.speech = Speech::Data(control);
    }

    /// Its beginning is not in the capture.
    pub(super) fn joined(&mut self) {
        self.has_stood = true;
    }

    /// It is opened.
    pub(super) fn opening(&mut self, hosts: &mut Hosts, place: Place, inside_tls: Option<u16>) {
        self.begun = Some(place);
        self.tls = inside_tls.is_some();
        self.port = inside_tls;
        let port = self.ends[1].port();
        if port == port::FTP {
            self.speech = Speech::Ftp(Box::default());
        }
        if self.tls || PLAIN.contains(&port) {
            self.begin(hosts);
        }
    }

    /// It is asked for once more.
    pub(super) fn opened_again(&mut self, place: Place) {
        if self.stands.is_none() && !self.has_stood {
            self.again = Some(place);
        }
    }

    /// The other end takes it.
    pub(super) fn opened(&mut self, hosts: &mut Hosts, place: Place, by: Mac) {
        let is_data = matches!(self.speech, Speech::Data(_));
        if self.has_stood || self.stands.is_some() || is_data {
            return;
        }
        if self.hosts[0].is_some_and(|(host, _)| hosts.at(host).strong) {
            hosts.serves(by);
        }
        self.stands = Some(place);
        if self.begun.is_none() {
            self.stand(hosts);
        }
    }

    /// The next piece of what an end sends.
    pub(super) fn data(&mut self, hosts: &mut Hosts, piece: &Piece<'_>, beyond: &mut Beyond) {
        if matches!(self.speech, Speech::Unsaid) {
            self.settle_speech(hosts, piece);
        }
        // Who sends on after the other end closed keeps it open.
        if let Some((side, _)) = self.closing
            && side != piece.side
        {
            self.closing = None;
        }
        match &mut self.speech {
            Speech::Unsaid | Speech::Plain => {
                self.begin(hosts);
                self.tell(hosts, piece, Part::Data);
            }
            Speech::Tls(..) => self.secured(hosts, piece),
            Speech::Ftp(control) => {
                let steps = control.feed(piece);
                self.ftp(hosts, piece.place, steps, beyond);
            }
            Speech::Data(control) => {
                beyond
                    .data
                    .push((*control, piece.bytes.to_vec(), piece.length));
            }
        }
    }

    /// Whether the end of this connection is that of a retrieval: FTP's data connection tells its
    /// control connection, which ends one only where one was going on.
    fn ends(&self, beyond: &mut Beyond) -> bool {
        match &self.speech {
            Speech::Data(control) => {
                beyond.ended = Some(*control);
                false
            }
            Speech::Ftp(control) => !control.is_idle(),
            _ => true,
        }
    }

    /// A side says no more.
    pub(super) fn finished(
        &mut self,
        hosts: &mut Hosts,
        place: Place,
        side: usize,
        beyond: &mut Beyond,
    ) {
        if !self.ends(beyond) {
            return;
        }
        match self.closing {
            Some((first, at)) => self.close(hosts, at, first),
            // Who opened it may wait for the rest of an answer.
            None if side == 0 => self.closing = Some((side, place)),
            None => self.close(hosts, place, side),
        }
    }

    /// An end breaks it off.
    pub(super) fn reset(
        &mut self,
        hosts: &mut Hosts,
        place: Place,
        side: usize,
        beyond: &mut Beyond,
    ) {
        if !self.ends(beyond) {
            return;
        }
        if let Some((first, at)) = self.closing {
            return self.close(hosts, at, first);
        }
        let stood = self.has_stood || self.stands.is_some();
        let why = match (&self.speech, stood, side) {
            (Speech::Tls(watch, _), ..) if !watch.stands() => failure::TLS,
            // Many end a connection so when they have what they want.
            (_, true, 0) => return self.close(hosts, place, side),
            (_, true, _) => failure::RESET,
            (_, false, _) => failure::REFUSED,
        };
        self.fail(hosts, place, why);
    }

    /// Nothing more comes for now.
    pub(super) fn settle(&mut self, hosts: &mut Hosts, place: Place) {
        if matches!(self.speech, Speech::Data(_)) || self.over {
            return;
        }
        if let Some((side, at)) = self.closing {
            return self.close(hosts, at, side);
        }
        let stood = self.has_stood || self.stands.is_some();
        let begun = self.begun.is_some();
        if let Some(last) = self.again.filter(|_| !stood)
            && place.at.since(last.at) >= PATIENCE
        {
            return self.fail(hosts, last, failure::TIMED_OUT);
        }
        if begun {
            self.begin(hosts);
        }
    }

    /// Something is missing of it.
    pub(super) fn missing(&self, hosts: &mut Hosts) {
        for (host, _) in self.hosts.iter().flatten() {
            hosts.at(*host).missing += 1;
        }
    }

    /// Data of the file that its FTP transfer brings.
    pub(super) fn file(&mut self, hosts: &mut Hosts, place: Place, bytes: &[u8], length: usize) {
        if let Speech::Ftp(control) = &mut self.speech
            && control.takes_data()
        {
            let piece = Piece {
                place,
                side: 1,
                bytes,
                length,
            };
            self.tell(hosts, &piece, Part::Data);
        }
    }

    /// The data connection of its FTP transfer ends.
    pub(super) fn file_ended(&mut self, hosts: &mut Hosts, place: Place) {
        if let Speech::Ftp(control) = &mut self.speech {
            let steps = control.data_ended();
            self.ftp(hosts, place, steps, &mut Beyond::default());
        }
    }

    /// What is spoken, by the first bytes.
    fn settle_speech(&mut self, hosts: &mut Hosts, piece: &Piece<'_>) {
        self.speech = match piece.bytes {
            [0x16, 3, ..] if piece.side == 0 && !self.tls => {
                self.tls = true;
                let notes = [0, 1].map(|end| {
                    let (host, _) = self.hosts[end]?;
                    hosts.at(host).secure(Secured {
                        at: piece.place.at,
                        peer: self.ends[1 - end],
                        name: None,
                        version: None,
                        fault: None,
                    })
                });
                Speech::Tls(Box::default(), notes)
            }
            bytes if piece.side == 1 && bytes.starts_with(b"220") => Speech::Ftp(Box::default()),
            _ => Speech::Plain,
        };
        if !self.tls {
            self.begin(hosts);
        }
    }

    /// Tells what was held back.
    fn begin(&mut self, hosts: &mut Hosts) {
        if let Some(place) = self.begun.take() {
            self.part(hosts, place, 0, Part::Opening);
        }
        // With TLS it stands when the handshake does.
        if self.port.is_some() || !self.tls {
            self.stand(hosts);
        }
    }

    fn stand(&mut self, hosts: &mut Hosts) {
        if let Some(place) = self.stands.take()
            && !std::mem::replace(&mut self.has_stood, true)
            // A record does not have it of a retrieval.
            && !matches!(self.speech, Speech::Ftp(_))
        {
            self.part(hosts, place, 1, Part::Opened);
        }
    }

    /// Bytes of TLS: nothing of them is told but what they show of the handshake.
    fn secured(&mut self, hosts: &mut Hosts, piece: &Piece<'_>) {
        self.begin(hosts);
        let Speech::Tls(watch, notes) = &mut self.speech else {
            return;
        };
        let stood = watch.stands();
        watch.feed(piece.side, piece.bytes, piece.length);
        for (end, note) in self.hosts.iter().zip(notes) {
            if let (Some((host, _)), Some(note)) = (end, note)
                && let Some(secured) = hosts.at(*host).secured.get_mut(*note)
            {
                watch.tell(secured);
            }
        }
        if watch.failed() {
            self.fail(hosts, piece.place, failure::TLS);
        } else if watch.stands() && !stood {
            self.stands = Some(piece.place);
            self.stand(hosts);
        }
    }

    /// What an FTP control connection leads to.
    fn ftp(&mut self, hosts: &mut Hosts, place: Place, steps: Vec<ftp::Step>, beyond: &mut Beyond) {
        for step in steps {
            match step {
                ftp::Step::Again => {
                    for (host, number) in self.hosts.iter_mut().flatten() {
                        *number = hosts.at(*host).connection();
                    }
                    self.over = false;
                    self.part(hosts, place, 0, Part::Opening);
                }
                ftp::Step::Said(text) => {
                    let piece = Piece {
                        place,
                        side: 0,
                        bytes: text.as_bytes(),
                        length: text.len(),
                    };
                    self.begin(hosts);
                    self.tell(hosts, &piece, Part::Data);
                }
                ftp::Step::Listens(side, Some(end)) => {
                    // Behind a translator an end names an address that nobody sees.
                    let address = *self.ends[side].ip();
                    beyond.expect.push(SocketAddrV4::new(address, end.port()));
                    beyond.expect.push(end);
                    beyond.expect.dedup();
                }
                ftp::Step::Listens(_, None) => {}
                ftp::Step::Port(side, port) => {
                    let address = *self.ends[side].ip();
                    beyond.expect.push(SocketAddrV4::new(address, port));
                }
                ftp::Step::Complete => self.close(hosts, place, 1),
                ftp::Step::Failed(why) => self.fail(hosts, place, &why),
            }
        }
    }

    fn close(&mut self, hosts: &mut Hosts, place: Place, side: usize) {
        self.closing = None;
        if !std::mem::replace(&mut self.over, true) {
            self.begin(hosts);
            self.part(hosts, place, side, Part::Closed);
        }
    }

    fn fail(&mut self, hosts: &mut Hosts, place: Place, why: &str) {
        self.closing = None;
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if let Some(begun) = self.begun.take() {
            self.part(hosts, begun, 0, Part::Opening);
        }
        if !self.tls {
            self.stand(hosts);
        }
        // Each end learns of it, whoever's doing it is.
        for end in [0, 1] {
            let piece = Piece {
                place,
                side: 1 - end,
                bytes: why.as_bytes(),
                length: 0,
            };
            self.tell_end(hosts, end, &piece, Part::Failed);
        }
    }

    fn part(&mut self, hosts: &mut Hosts, place: Place, side: usize, part: Part) {
        let piece = Piece {
            place,
            side,
            bytes: &[],
            length: 0,
        };
        self.tell(hosts, &piece, part);
    }

    fn tell(&mut self, hosts: &mut Hosts, piece: &Piece<'_>, part: Part) {
        for end in [0, 1] {
            self.tell_end(hosts, end, piece, part);
        }
    }

    fn tell_end(&mut self, hosts: &mut Hosts, end: usize, piece: &Piece<'_>, part: Part) {
        let Some((host, connection)) = self.hosts[end] else {
            return;
        };
        let mut bytes = piece.bytes;
        if part == Part::Data {
            match piece.side == end {
                true => self.received[end] = 0,
                false => bytes = hosts.kept(&mut self.received[end], bytes),
            }
        }
        let mut peer = self.ends[1 - end];
        if let Some(port) = self.port.filter(|_| end == 0) {
            peer.set_port(port);
        }
        let told = Told {
            place: piece.place,
            way: way(piece.side, end),
            phone: self.ends[end],
            peer,
            connection,
            part,
            tls: self.tls,
            bytes,
            length: piece.length,
        };
        hosts.tell(host, &told);
    }
}
