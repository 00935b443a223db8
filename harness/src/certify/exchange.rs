//! The decoded exchange of a phone as results show it: a message a line, at most `LINES_MAX`, no
//! secrets.

use bootstorm_reports::redact::Redactor;
use bootstorm_scenarios::judge::State;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::wire::message::{self, Message};

/// Lines of one exchange.
pub(super) const LINES_MAX: usize = 200;
/// Of them, those from the beginning of a longer exchange.
const FIRST_LINES: usize = 40;
/// Of them, those before the first message that decided.
const LINES_BEFORE: usize = 40;
/// A secret shorter than this is found by its key alone: whole texts would be taken for it.
const SECRET_BYTES_MIN: usize = 4;

/// Takes secrets out of texts about one phone.
pub(crate) struct Censor<'a> {
    redactor: &'a Redactor,
    secrets: Vec<String>,
    /// Those that are too short to be sought in whole texts: where a text quotes nothing else.
    short: Vec<String>,
}

impl<'a> Censor<'a> {
    /// For a phone, whose settings and logins say what is secret, and what it came to hold.
    pub(crate) fn new(
        plan: &Plan,
        phone: &PhonePlan,
        held: Option<&State>,
        redactor: &'a Redactor,
    ) -> Self {
        if redactor.keeps_secrets() {
            let (secrets, short) = Default::default();
            return Self {
                redactor,
                secrets,
                short,
            };
        }
        let settings = plan.fleet_settings(phone).into_iter();
        let settings = settings.chain(plan.own_settings(phone));
        let mut secrets: Vec<String> = settings
            .filter(|(key, _)| redactor.is_secret_key(key))
            .map(|(_, value)| value)
            .collect();
        let held = held.map(|held| &held.settings).into_iter().flatten();
        let held = held.filter(|(key, _)| redactor.is_secret_key(key));
        secrets.extend(held.map(|(_, value)| value.clone()));
        let logins = plan.login(phone).into_iter().chain(plan.acs_login(phone));
        // In texts the credentials of a URL are found by their place.
        let mut shown = Vec::new();
        for login in logins {
            shown.push(hexadecimal(&format!("{}:", login.user)));
            secrets.push(login.password);
        }
        if let Some(fleet) = plan.fleet(phone) {
            let seal = &fleet.seal;
            secrets.extend([&seal.device_key, &seal.common_key].map(String::clone));
        }
        let mac = phone.identity.mac.to_string();
        // A login by MAC address says no more than every request does.
        let known = |secret: &String| secret.eq_ignore_ascii_case(&mac);
        secrets.retain(|secret| !secret.is_empty() && !known(secret));
        let (mut secrets, short): (Vec<_>, Vec<_>) = secrets
            .into_iter()
            .partition(|secret| secret.len() >= SECRET_BYTES_MIN);
        // Options whose bytes are no text are shown in hexadecimal.
        shown.extend(secrets.iter().map(|secret| hexadecimal(secret)));
        secrets.extend(shown);
        // A secret that another one contains would leave the rest of it.
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        secrets.dedup();
        Self {
            redactor,
            secrets,
            short,
        }
    }

    /// The text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut safe = self.redactor.text(text).into_owned();
        for secret in &self.secrets {
            if safe.contains(secret.as_str()) {
                safe = safe.replace(secret.as_str(), &self.redactor.stand_in(secret));
            }
        }
        for secret in &self.short {
            for quote in ['\'', '"'] {
                let quoted = format!("{quote}{secret}{quote}");
                if safe.contains(&quoted) {
                    let stand_in = self.redactor.stand_in(secret);
                    safe = safe.replace(&quoted, &format!("{quote}{stand_in}{quote}"));
                }
            }
        }
        safe
    }
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of an exchange, and which of them decided.
pub(crate) fn exchange(
    messages: &[Message],
    evidence: &[usize],
    censor: &Censor<'_>,
) -> (Vec<String>, Vec<u32>) {
    let first = evidence.first().copied().unwrap_or(0);
    let shown = shown(messages.len(), first);
    let mut lines = Vec::new();
    let mut decided = Vec::new();
    let mut left_out = 0;
    for (at, message) in messages.iter().enumerate() {
        if !shown.iter().any(|range| range.contains(&at)) {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            lines.push(gap(left_out));
            left_out = 0;
        }
        if evidence.contains(&at) {
            decided.push(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        }
        lines.push(censor.text(&message::line(message)));
    }
    if left_out > 0 {
        lines.push(gap(left_out));
    }
    (lines, decided)
}

fn gap(messages: usize) -> String {
    format!("… {messages} messages left out")
}

/// The messages that are shown: the first ones, and those around the first that decided.
fn shown(count: usize, evidence: usize) -> [std::ops::Range<usize>; 2] {
    if count <= LINES_MAX {
        return [0..count, 0..0];
    }
    // Two lines say that something was left out.
    let room = LINES_MAX - 2;
    let from = evidence.saturating_sub(LINES_BEFORE).max(FIRST_LINES);
    let from = from.min(count - (room - FIRST_LINES));
    [0..FIRST_LINES, from..from + (room - FIRST_LINES)]
}
