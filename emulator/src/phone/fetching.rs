//! One file at a time: chooses the protocol, keeps the pauses between files, and turns what the
//! transfer says into the events of the ladder step.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::holdings::Carried;
use super::io::{Channel, Input};
use super::params::HttpIdentity;
use super::turn::Turn;
use crate::event::{EventKind, Fault, File, Limit};
use crate::format::Format;
use crate::limits::{FILE_BYTES_MAX, FRESH_CHANNELS, IMAGE_BYTES_MAX, TRANSFER_SECONDS_MAX};
use crate::profile::StepId;
use crate::time::Moment;
use crate::transfer::Ending;
use crate::transfer::ftp::{self, FtpClient, Retrieval};
use crate::transfer::http::{HttpClient, RequestOptions};
use crate::transfer::tftp::{LastAck, TftpClient};
use crate::url::{Scheme, Url};

/// `TRANSFER_SECONDS_MAX` as a time.
const TRANSFER_MAX: Duration = Duration::from_secs(TRANSFER_SECONDS_MAX);

/// A file to fetch.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) step: StepId,
    pub(super) file: File,
    pub(super) format: Format,
    pub(super) url: Url,
    /// Held to the limit of images instead of that of files.
    pub(super) image: bool,
}

impl Target {
    /// A file, no image, that is known by its URL.
    pub(super) fn named(turn: &mut Turn<'_>, step: StepId, format: Format, url: Url) -> Self {
        Self {
            step,
            file: File::Named(turn.shelf.url(&url.to_string())),
            format,
            url,
            image: false,
        }
    }
}

/// What is under way.
#[derive(Debug)]
pub(super) struct Fetching {
    http: HttpClient,
    identity: HttpIdentity,
    channel: u16,
    last_ack: Option<LastAck>,
    active: Active,
    /// The next request leaves no earlier than this.
    not_before: Moment,
    any_before: bool,
}

#[derive(Debug)]
enum Active {
    Nothing,
    Waiting(Target),
    Tftp(Target, Moment, TftpClient),
    Ftp(Target, Moment, FtpClient),
    Http(Target, Moment),
}

impl Fetching {
    pub(super) fn new(identity: HttpIdentity, carried: Carried) -> Self {
        Self {
            http: HttpClient::new(carried.connection),
            identity,
            channel: carried.channel,
            last_ack: carried.last_ack,
            active: Active::Nothing,
            not_before: Moment::ZERO,
            any_before: false,
        }
    }

    /// A second one of its kind that works at the same time; its first request leaves behind one
    /// that waits here, by the pause between two files (FAN-87: 1.28 ms). Whatever either opens,
    /// the other has to `follow`.
    pub(super) fn beside(&self) -> Self {
        let carried = Carried {
            last_ack: None,
            ..self.carried()
        };
        Self {
            not_before: self.not_before,
            any_before: true,
            ..Self::new(self.identity.clone(), carried)
        }
    }

    /// Goes on with the numbers that `other` would give next, so that no two are the same.
    pub(super) fn follow(&mut self, other: &Self) {
        let next = other.carried();
        self.channel = next.channel;
        self.http.number_from(next.connection);
    }

    /// Whether a UDP port is that of the transfer under way, or of the one before.
    pub(super) fn owns(&self, port: Channel) -> bool {
        let last = self.last_ack.is_some_and(|last| last.channel == port);
        last || matches!(&self.active, Active::Tftp(_, _, client) if client.channel() == port)
    }

    pub(super) fn carried(&self) -> Carried {
        Carried {
            channel: self.channel,
            connection: self.http.next_connection(),
            last_ack: self.last_ack,
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.active, Active::Nothing)
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        match &self.active {
            Active::Nothing => None,
            Active::Waiting(_) => Some(self.not_before),
            Active::Tftp(_, started, client) => {
                Some(client.deadline().min(*started + TRANSFER_MAX))
            }
            Active::Ftp(_, started, client) => Some(client.deadline().min(*started + TRANSFER_MAX)),
            Active::Http(_, started) => {
                let end = *started + TRANSFER_MAX;
                Some(self.http.deadline().map_or(end, |due| due.min(end)))
            }
        }
    }

    /// Holds the next request back for this policy time.
    pub(super) fn pause(&mut self, turn: &Turn<'_>, pause: Duration) {
        self.not_before = self.not_before.max(turn.after_policy(pause));
    }

    /// Requests a file, now or after the pause that is due.
    pub(super) fn request(&mut self, turn: &mut Turn<'_>, target: Target) -> Option<Finished> {
        if self.any_before {
            let pause = between_files(turn);
            self.pause(turn, pause);
        }
        self.any_before = true;
        if turn.now < self.not_before {
            self.active = Active::Waiting(target);
            return None;
        }
        self.send(turn, target)
    }

    pub(super) fn input(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Option<Finished> {
        if self.is_too_slow(turn.now) {
            let (limit, value) = (Limit::TransferSeconds, TRANSFER_SECONDS_MAX);
            turn.event(EventKind::LimitReached { limit, value });
            self.hang_up(turn);
            return self.finish(turn, Ending::Failed(Fault::Silence));
        }
        let ending = match (&mut self.active, input) {
            (Active::Waiting(_), Input::Tick) if self.not_before <= turn.now => {
                let active = std::mem::replace(&mut self.active, Active::Nothing);
                let Active::Waiting(target) = active else {
                    return None;
                };
                return self.send(turn, target);
            }
            (Active::Tftp(_, _, client), Input::Tick) if client.deadline() <= turn.now => {
                client.tick(turn)
            }
            (Active::Ftp(_, _, client), Input::Tick) => client.tick(turn),
            (Active::Http(..), Input::Tick) => {
                let due = self.http.deadline().is_some_and(|at| at <= turn.now);
                if due { self.http.tick(turn) } else { None }
            }
            (_, Input::Datagram { .. }) => self.datagram(turn, input),
            // Whatever happens to a connection concerns it even while no request is under way.
            (_, Input::Opened(_) | Input::Bytes(..) | Input::Closed(_) | Input::Failed(..)) => {
                let ending = self.http.input(turn, input);
                match &mut self.active {
                    Active::Ftp(_, _, client) => client.input(turn, input),
                    _ => ending,
                }
            }
            _ => None,
        };
        ending.and_then(|ending| self.finish(turn, ending))
    }

    /// A file that never comes to its end, however busy the server is with it.
    fn is_too_slow(&self, now: Moment) -> bool {
        match &self.active {
            Active::Tftp(_, started, _) | Active::Ftp(_, started, _) | Active::Http(_, started) => {
                *started + TRANSFER_MAX <= now
            }
            Active::Nothing | Active::Waiting(_) => false,
        }
    }

    /// A datagram for the transfer under way, or the last block of the one before once more: the
    /// server missed the last ACK (RFC 1350 §6).
    fn datagram(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Option<Ending> {
        let Input::Datagram {
            channel,
            from,
            bytes,
        } = *input
        else {
            return None;
        };
        match &mut self.active {
            Active::Tftp(_, _, client) if channel == client.channel() => {
                client.datagram(turn, from, bytes)
            }
            _ => {
                if let Some(last) = &mut self.last_ack {
                    last.answer(turn, channel, from, bytes);
                }
                None
            }
        }
    }

    /// Closes the connection and forgets what is under way.
    pub(super) fn close(&mut self, turn: &mut Turn<'_>) {
        self.hang_up(turn);
        self.active = Active::Nothing;
    }

    fn hang_up(&mut self, turn: &mut Turn<'_>) {
        self.http.close(turn);
        if let Active::Ftp(_, _, client) = &mut self.active {
            client.close(turn);
        }
    }

    fn send(&mut self, turn: &mut Turn<'_>, target: Target) -> Option<Finished> {
        let limit = if target.image {
            IMAGE_BYTES_MAX
        } else {
            FILE_BYTES_MAX
        };
        let step = target.step;
        match target.url.scheme {
            Scheme::Ftp => self.retrieve(turn, target, limit),
            Scheme::Tftp => {
                let Some(server) = server_of(turn, &target.url) else {
                    return self.refuse(turn, target, Fault::UnknownHost);
                };
                let channel = Channel::Fresh(self.channel);
                self.channel = (self.channel + 1) % FRESH_CHANNELS;
                let path = &target.url.path;
                let bare = path.strip_prefix('/').unwrap_or(path);
                let name = if turn.profile.tftp.leading_slash {
                    path
                } else {
                    bare
                };
                let client = TftpClient::start(turn, step, channel, server, name.as_bytes(), limit);
                self.active = Active::Tftp(target, turn.now, client);
                None
            }
            Scheme::Http | Scheme::Https => {
                let options = RequestOptions {
                    step,
                    user_agent: &self.identity.user_agent,
                    auth: self.identity.auth,
                    user: &self.identity.user,
                    password: &self.identity.password,
                    limit,
                    patience: None,
                    follow: true,
                };
                let ending = self.http.get(turn, &target.url, &options);
                self.active = Active::Http(target, turn.now);
                ending.and_then(|ending| self.finish(turn, ending))
            }
        }
    }

    fn retrieve(&mut self, turn: &mut Turn<'_>, target: Target, limit: usize) -> Option<Finished> {
        let Some(spec) = &turn.profile.ftp else {
            return self.refuse(turn, target, Fault::Scheme);
        };
        let Some(server) = server_of(turn, &target.url) else {
            return self.refuse(turn, target, Fault::UnknownHost);
        };
        let file = Retrieval {
            step: target.step,
            url: &target.url,
            server,
            user: &self.identity.user,
            password: &self.identity.password,
            mode: self.identity.ftp,
            limit,
            connection: self.http.reserve(ftp::connections(spec)),
        };
        let client = FtpClient::start(turn, spec, &file);
        self.active = Active::Ftp(target, turn.now, client);
        None
    }

    /// A file that cannot even be asked for.
    fn refuse(&mut self, turn: &mut Turn<'_>, target: Target, fault: Fault) -> Option<Finished> {
        turn.event(EventKind::GaveUp {
            step: target.step,
            fault,
        });
        Some((target, Ending::Failed(fault)))
    }

    fn finish(&mut self, turn: &mut Turn<'_>, ending: Ending) -> Option<Finished> {
        let active = std::mem::replace(&mut self.active, Active::Nothing);
        let (target, started, attempts) = match active {
            Active::Tftp(target, started, client) => {
                self.last_ack = client.last_ack().or(self.last_ack);
                (target, started, turn.profile.tftp.attempts)
            }
            Active::Ftp(target, started, _) => {
                let attempts = turn.profile.ftp.as_ref().map_or(1, |spec| spec.attempts);
                (target, started, attempts)
            }
            Active::Http(mut target, started) => {
                let landed = self.http.take_landed();
                // What a list names is relative to where the list was had from (AUE-67).
                if let Some(landed) = landed.filter(|_| target.format == Format::Sections) {
                    target.url = landed;
                }
                (target, started, turn.profile.http.attempts)
            }
            Active::Nothing | Active::Waiting(_) => return None,
        };
        let (step, file) = (target.step, target.file);
        let after = turn.now.since(started);
        match &ending {
            Ending::Found(body) => {
                turn.event(EventKind::Answered { step, after });
                let (bytes, md5) = (body.bytes().len() as u64, body.md5());
                turn.event(EventKind::Fetched {
                    step,
                    file,
                    bytes,
                    md5,
                });
            }
            Ending::Missing => {
                turn.event(EventKind::Answered { step, after });
                turn.event(EventKind::Missing { step, file });
            }
            Ending::Failed(fault) => {
                let fault = *fault;
                turn.event(EventKind::GaveUp { step, fault });
                if fault == Fault::Silence {
                    let limit = Limit::Attempts;
                    let value = u64::from(attempts);
                    turn.event(EventKind::LimitReached { limit, value });
                }
            }
        }
        Some((target, ending))
    }
}

/// A file that is over.
pub(super) type Finished = (Target, Ending);

/// The pause before the next file (FLY-72), unscaled.
fn between_files(turn: &mut Turn<'_>) -> Duration {
    let timers = &turn.profile.timers;
    let spread = timers
        .between_files_max
        .saturating_sub(timers.between_files_min);
    let drawn = turn
        .rng
        .up_to(u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX));
    timers.between_files_min + Duration::from_nanos(drawn)
}

/// The socket address of a URL's server, as the phone means it.
fn server_of(turn: &Turn<'_>, url: &Url) -> Option<SocketAddrV4> {
    let address = turn.shelf.resolve(&url.host)?;
    Some(SocketAddrV4::new(address, url.effective_port()))
}
