//! Switches that power their ports: pethPsePortTable of RFC 3621, by SNMP version 2c or 3.

use std::time::Duration;

use bootstorm_scenarios::lab::{Action, Cipher, Digest, SnmpAccess, SnmpDriver};
use snmp2::v3::{Auth, AuthProtocol, Cipher as PrivacyCipher, KeyExtension, Security};
use snmp2::{Error, MessageType, Oid, SyncSession, Value, snmp};

use super::{Job, PowerFault, secret, waited};

/// pethPsePortEntry (RFC 3621 §3).
const PORT_ENTRY: [u64; 10] = [1, 3, 6, 1, 2, 1, 105, 1, 1, 1];
/// pethPsePortAdminEnable, a TruthValue.
const ADMIN_ENABLE: u64 = 3;
/// pethPsePortDetectionStatus.
const DETECTION_STATUS: u64 = 6;
/// pethPsePortPowerClassifications: 1 is class 0.
const POWER_CLASS: u64 = 10;
/// TruthValue (RFC 2579 §2).
const TRUE: i64 = 1;
const FALSE: i64 = 2;
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(500);
/// Values of pethPsePortDetectionStatus.
const STATUSES: [(i64, &str); 6] = [
    (1, "disabled"),
    (2, "searching"),
    (DELIVERING, "deliveringPower"),
    (4, "fault"),
    (5, "test"),
    (6, "otherFault"),
];
const DELIVERING: i64 = 3;
/// Values of error-status (RFC 3416 §3), by their numbers.
const ERRORS: [&str; 19] = [
    "noError",
    "tooBig",
    "noSuchName",
    "badValue",
    "readOnly",
    "genErr",
    "noAccess",
    "wrongType",
    "wrongLength",
    "wrongEncoding",
    "wrongValue",
    "noCreation",
    "inconsistentValue",
    "resourceUnavailable",
    "commitFailed",
    "undoFailed",
    "authorizationError",
    "notWritable",
    "inconsistentName",
];

/// Switches a port, and sees that it really did.
pub(super) fn act(driver: &SnmpDriver, job: Job<'_>) -> Result<String, PowerFault> {
    let mut agent = Agent::new(driver, job)?;
    let wanted = match job.action {
        Action::On => TRUE,
        Action::Off => FALSE,
        Action::Cycle | Action::Reset => return Err(job.outlet.unable(job.action)),
    };
    agent.write(ADMIN_ENABLE, wanted)?;
    match agent.read(ADMIN_ENABLE)? {
        Some(held) if held == wanted => {}
        Some(held) => return Err(agent.not_done(format!("pethPsePortAdminEnable is {held}"))),
        None => return Err(agent.not_done("the agent does not have pethPsePortAdminEnable")),
    }
    agent.settled(wanted == TRUE)
}

/// One port of an agent.
struct Agent<'a> {
    driver: &'a SnmpDriver,
    job: Job<'a>,
    port: u64,
    /// Who asks, with their pass phrases.
    who: Who,
    request: i32,
}

enum Who {
    Community(String),
    User(Box<Security>),
}

impl<'a> Agent<'a> {
    fn new(driver: &'a SnmpDriver, job: Job<'a>) -> Result<Self, PowerFault> {
        let outlet = job.outlet;
        outlet.allowed(*driver.agent.ip())?;
        let port = outlet.port.parse().map_err(|_| outlet.unable(job.action))?;
        let who = match &driver.access {
            SnmpAccess::Community(community) => Who::Community(secret::read(community, outlet)?),
            SnmpAccess::User {
                name,
                digest,
                auth,
                cipher,
                privacy,
            } => {
                let auth = secret::read(auth, outlet)?;
                let privacy = secret::read(privacy, outlet)?;
                let security = Security::new(name.as_bytes(), auth.as_bytes())
                    .with_auth_protocol(digest_of(*digest))
                    // The one that net-snmp and most switches have, where a key is too short.
                    .with_key_extension_method(KeyExtension::Blumenthal)
                    .with_auth(Auth::AuthPriv {
                        cipher: cipher_of(*cipher),
                        privacy_password: privacy.into_bytes(),
                    });
                Who::User(Box::new(security))
            }
        };
        Ok(Self {
            driver,
            job,
            port,
            who,
            request: 1,
        })
    }

    fn read(&mut self, column: u64) -> Result<Option<i64>, PowerFault> {
        self.ask(column, None)
    }

    fn write(&mut self, column: u64, value: i64) -> Result<(), PowerFault> {
        self.ask(column, Some(value)).map(drop)
    }

    /// Asks until it is answered or given up.
    fn ask(&mut self, column: u64, value: Option<i64>) -> Result<Option<i64>, PowerFault> {
        let what = match value {
            Some(value) => format!("set {}={value}", self.named(column)),
            None => format!("get {}", self.named(column)),
        };
        for _ in 0..self.driver.tries {
            // Of several answers to what was sent again, none is taken for another's.
            self.request += 1;
            match self.once(column, value) {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => {
                    let name = ERRORS
                        .get(status as usize)
                        .copied()
                        .unwrap_or("an unknown error");
                    return Err(self.job.outlet.refused(what, format!("{name} ({status})")));
                }
                Err(Error::AuthFailure(why)) => {
                    return Err(self.job.outlet.refused(what, format!("{why} (version 3)")));
                }
                Err(Error::Crypto(why)) => return Err(self.job.outlet.refused(what, why)),
                // Nothing came, or something that nobody understands.
                Err(_) => waited(Duration::ZERO, self.job.stop)?,
            }
        }
        Err(PowerFault::Silent {
            switch: self.job.outlet.switch.clone(),
            what: format!("{what}, asked {} times", self.driver.tries),
            at: self.driver.agent.to_string(),
            within: self.driver.timeout * self.driver.tries,
        })
    }

    /// One request: the value (`None` = there is none), or the agent's error status.
    fn once(&self, column: u64, value: Option<i64>) -> Result<Result<Option<i64>, u32>, Error> {
        let row = [column, u64::from(self.driver.group), self.port];
        let words: Vec<u64> = PORT_ENTRY.into_iter().chain(row).collect();
        let oid = Oid::from(&words).map_err(|_| Error::ValueOutOfRange)?;
        let (at, wait) = (self.driver.agent, Some(self.driver.timeout));
        let session = match &self.who {
            Who::Community(community) => {
                SyncSession::new_v2c(at, community.as_bytes(), wait, self.request)
            }
            Who::User(security) => {
                SyncSession::new_v3(at, wait, self.request, Security::clone(security))
            }
        };
        let mut session = session.map_err(|_| Error::Send)?;
        // The engine's identity and clock (RFC 3414 §4); nothing for version 2c.
        session.init()?;
        let mut again = true;
        loop {
            let answer = match value {
                Some(value) => session.set(&[(&oid, Value::Integer(value))]),
                None => session.get(&oid),
            };
            let mut answer = match answer {
                // The agent said what time it is.
                Err(Error::AuthUpdated) if again => {
                    again = false;
                    continue;
                }
                answer => answer?,
            };
            if answer.error_status != snmp::ERRSTATUS_NOERROR {
                return Ok(Err(answer.error_status));
            }
            if answer.message_type != MessageType::Response {
                return Err(Error::AsnUnsupportedType);
            }
            return match answer.varbinds.next() {
                Some((answered, Value::Integer(value))) if answered == oid => Ok(Ok(Some(value))),
                Some((answered, _)) if answered == oid => Ok(Ok(None)),
                // It speaks of something else.
                _ => Err(Error::ValueOutOfRange),
            };
        }
    }

    /// Waits until the port powers what is plugged in, or powers it no more.
    fn settled(&mut self, on: bool) -> Result<String, PowerFault> {
        let mut left = self.driver.settle.as_millis() / LOOK.as_millis();
        loop {
            let Some(status) = self.read(DETECTION_STATUS)? else {
                // Not every agent has it: that the port is on is all that can be known.
                return Ok("the agent does not tell whether the port delivers power".to_owned());
            };
            let name = STATUSES.iter().find(|(value, _)| *value == status);
            let name = name.map_or("unknown", |(_, name)| *name);
            if (status == DELIVERING) == on {
                let class = if on { self.read(POWER_CLASS)? } else { None };
                let class = class.filter(|it| (1..=5).contains(it));
                let class = class.map_or_else(String::new, |it| format!(", class {}", it - 1));
                let port = &self.job.outlet.port;
                return Ok(format!("port {port}: {name} ({status}){class}"));
            }
            if left == 0 {
                let seconds = self.driver.settle.as_secs_f64();
                return Err(self.not_done(format!(
                    "after {seconds} s pethPsePortDetectionStatus is {name} ({status})"
                )));
            }
            left -= 1;
            waited(LOOK, self.job.stop)?;
        }
    }

    fn not_done(&self, why: impl Into<String>) -> PowerFault {
        PowerFault::NotDone {
            switch: self.job.outlet.switch.clone(),
            what: format!(
                "{} of port {}",
                self.job.action.word(),
                self.job.outlet.port
            ),
            why: why.into(),
        }
    }

    fn named(&self, column: u64) -> String {
        let name = match column {
            ADMIN_ENABLE => "pethPsePortAdminEnable",
            DETECTION_STATUS => "pethPsePortDetectionStatus",
            _ => "pethPsePortPowerClassifications",
        };
        format!("{name}.{}.{}", self.driver.group, self.port)
    }
}

fn digest_of(digest: Digest) -> AuthProtocol {
    match digest {
        Digest::Sha1 => AuthProtocol::Sha1,
        Digest::Sha224 => AuthProtocol::Sha224,
        Digest::Sha256 => AuthProtocol::Sha256,
        Digest::Sha384 => AuthProtocol::Sha384,
        Digest::Sha512 => AuthProtocol::Sha512,
    }
}

fn cipher_of(cipher: Cipher) -> PrivacyCipher {
    match cipher {
        Cipher::Aes128 => PrivacyCipher::Aes128,
        Cipher::Aes192 => PrivacyCipher::Aes192,
        Cipher::Aes256 => PrivacyCipher::Aes256,
    }
}
