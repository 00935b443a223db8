//! How servers in the field differ in their PnP answers, each difference by name: phones must take
//! all of them (vendor facts, "PnP answers by servers in the field").

use bootstorm_scenarios::scenario::{PnpAnswers, PnpHabit, PnpNotify};

/// The differences. By default an answer is as RFC 3261 and RFC 6665 want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner {
    /// The 200 OK has the CSeq of the SUBSCRIBE raised by one.
    pub cseq_raised: bool,
    /// What the 200 OK says in Via.
    pub via: ViaManner,
    /// What the NOTIFY says in Subscription-State.
    pub state: StateManner,
    /// What the NOTIFY says in Event.
    pub event: EventManner,
    /// What both say in Contact.
    pub contact: ContactManner,
    /// The 200 OK ends with its last header's letters: no line end, no empty line.
    pub unfinished: bool,
    /// The NOTIFY's content type is the one of Grandstream's PBXs, `application/x-gs-ucm-url`.
    pub ucm_type: bool,
    /// Answers go to the phone's port 5060, wherever its SUBSCRIBE came from.
    pub to_sip_port: bool,
    /// The NOTIFY has the tags of From and To in each other's place.
    pub tags_swapped: bool,
    /// The NOTIFY comes a second time after half a second, answered or not (FAN-102).
    pub repeated: bool,
    /// A remark follows the URL in the body (FAN-101).
    pub remark: bool,
    /// The NOTIFY is addressed to the phone's address and port, without a user (FAN-99).
    pub to_address: bool,
    /// When the NOTIFY comes.
    pub notify: PnpNotify,
}

/// The Via of the 200 OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ViaManner {
    /// That of the SUBSCRIBE.
    #[default]
    Copied,
    /// The server's own address and branch.
    Own,
}

/// The Subscription-State of the NOTIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StateManner {
    /// `terminated;reason=timeout`
    #[default]
    Timeout,
    /// `terminated;reason=noresource`
    NoResource,
    /// No such header.
    Missing,
}

/// The Event of the NOTIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventManner {
    /// That of the SUBSCRIBE.
    #[default]
    Echoed,
    /// `ua-profile` alone.
    Bare,
    /// The same for all phones, with `vendor="OEM"`.
    Constant,
    /// The same for all phones, a device of no model (FAN-99).
    Device,
}

/// The Contact of both answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContactManner {
    /// The server's own address.
    #[default]
    Own,
    /// A header without a value.
    Empty,
    /// No such header.
    Missing,
}

impl Manner {
    /// The manner that a scenario describes.
    #[must_use]
    pub fn of(answers: &PnpAnswers) -> Self {
        let mut manner = Self {
            notify: answers.notify,
            ..Self::default()
        };
        for habit in &answers.habits {
            manner.take(*habit);
        }
        manner
    }

    /// Every single difference with its name, and none.
    pub fn named() -> impl Iterator<Item = (&'static str, Self)> {
        let single = PnpHabit::ALL.into_iter().map(|(habit, name)| {
            let mut manner = Self::default();
            manner.take(habit);
            (name, manner)
        });
        single.chain([("as-the-standards-say", Self::default())])
    }

    fn take(&mut self, habit: PnpHabit) {
        match habit {
            PnpHabit::CseqRaised => self.cseq_raised = true,
            PnpHabit::ViaOwn => self.via = ViaManner::Own,
            PnpHabit::StateNoResource => self.state = StateManner::NoResource,
            PnpHabit::StateMissing => self.state = StateManner::Missing,
            PnpHabit::EventBare => self.event = EventManner::Bare,
            PnpHabit::EventConstant => self.event = EventManner::Constant,
            PnpHabit::ContactEmpty => self.contact = ContactManner::Empty,
            PnpHabit::ContactMissing => self.contact = ContactManner::Missing,
            PnpHabit::Unfinished => self.unfinished = true,
            PnpHabit::TypeUcm => self.ucm_type = true,
            PnpHabit::ToSipPort => self.to_sip_port = true,
            PnpHabit::TagsSwapped => self.tags_swapped = true,
            PnpHabit::Repeated => self.repeated = true,
            PnpHabit::Remark => self.remark = true,
            PnpHabit::Device => {
                self.to_address = true;
                self.event = EventManner::Device;
            }
        }
    }
}
