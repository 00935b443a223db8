//! `[pnp]`: in what the subject's PnP answers differ from the standards'.

use std::time::Duration;

use bootstorm_emulator::located::Reader;

/// How the subject answers SUBSCRIBEs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PnpAnswers {
    /// Differences, each by its name.
    pub habits: Vec<PnpHabit>,
    /// When the NOTIFY comes.
    pub notify: PnpNotify,
}

/// When the NOTIFY comes, where SUBSCRIBEs come by UDP. Over TCP it comes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PnpNotify {
    /// With the 200 OK.
    #[default]
    AtOnce,
    /// So long after the SUBSCRIBE (FAN-104); a real time, never scaled.
    After(Duration),
    /// When a step orders it (FAN-104).
    Ordered,
}

/// One difference of a server in the field (vendor facts, "PnP answers by servers in the field").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PnpHabit {
    /// The 200 OK has the CSeq of the SUBSCRIBE raised by one.
    CseqRaised,
    /// The 200 OK has a Via of the server's own.
    ViaOwn,
    /// `Subscription-State: terminated;reason=noresource`
    StateNoResource,
    /// No Subscription-State.
    StateMissing,
    /// `Event: ua-profile` alone.
    EventBare,
    /// An Event with `vendor="OEM"`.
    EventConstant,
    /// A Contact without a value.
    ContactEmpty,
    /// No Contact.
    ContactMissing,
    /// The 200 OK ends with its last header's letters.
    Unfinished,
    /// The content type of one maker's PBXs.
    TypeUcm,
    /// Answers go to the phone's port 5060.
    ToSipPort,
    /// The NOTIFY has the tags of From and To in each other's place.
    TagsSwapped,
    /// The NOTIFY comes a second time after half a second, answered or not (FAN-102).
    Repeated,
    /// A remark follows the URL in the body (FAN-101).
    Remark,
    /// The NOTIFY is addressed to the phone's address and port, without a user, and its Event
    /// describes a device (FAN-99).
    Device,
}

impl PnpHabit {
    /// Every difference with the word for it in scenarios.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::CseqRaised, "cseq-raised"),
        (Self::ViaOwn, "via-own"),
        (Self::StateNoResource, "state-noresource"),
        (Self::StateMissing, "state-missing"),
        (Self::EventBare, "event-bare"),
        (Self::EventConstant, "event-constant"),
        (Self::ContactEmpty, "contact-empty"),
        (Self::ContactMissing, "contact-missing"),
        (Self::Unfinished, "unfinished"),
        (Self::TypeUcm, "type-ucm"),
        (Self::ToSipPort, "to-sip-port"),
        (Self::TagsSwapped, "tags-swapped"),
        (Self::Repeated, "repeated"),
        (Self::Remark, "remark"),
        (Self::Device, "device"),
    ];
}

/// `[pnp]`
pub(super) fn answers(table: &Reader<'_>) -> PnpAnswers {
    let late = table.may("notify_after_s");
    let ordered = table.may("notify");
    let notify = match (late.duration(), ordered.is_given()) {
        (Some(_), true) => {
            late.fault("'notify_after_s' or 'notify', not both");
            None
        }
        (Some(after), false) => Some(PnpNotify::After(after)),
        (None, _) => ordered.word(&[
            (PnpNotify::AtOnce, "at-once"),
            (PnpNotify::Ordered, "ordered"),
        ]),
    };
    let habits = table.may("manner").list();
    PnpAnswers {
        habits: habits
            .iter()
            .filter_map(|slot| slot.word(&PnpHabit::ALL))
            .collect(),
        notify: notify.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::read;

    fn with(pnp: &str) -> Result<PnpAnswers, String> {
        let text = format!(
            "name = \"x\"\n[pnp]\n{pnp}\n[[fleet]]\nname = \"f\"\nphones = 1\nsource = \"pnp\"\n\
             transport = \"http\"\nlayout = \"l\"\n[fleet.profiles]\n\"a/b\" = 1\n"
        );
        let scenario = read("x.toml", &text).map_err(|faults| faults.to_string())?;
        Ok(scenario.pnp)
    }

    #[test]
    fn reads_how_pnp_is_answered() {
        let known = with("manner = [\"remark\", \"repeated\"]\nnotify_after_s = 90").unwrap();
        assert_eq!(known.habits, [PnpHabit::Remark, PnpHabit::Repeated]);
        assert_eq!(known.notify, PnpNotify::After(Duration::from_secs(90)));
        assert_eq!(
            with("notify = \"ordered\"").unwrap().notify,
            PnpNotify::Ordered
        );
        assert_eq!(with("").unwrap(), PnpAnswers::default());
        for wrong in [
            "manner = [\"remarks\"]",
            "notify = \"late\"",
            "notify = \"ordered\"\nnotify_after_s = 1",
        ] {
            assert!(with(wrong).is_err(), "{wrong}");
        }
    }
}
