//! How servers in the field differ in their PnP answers, each difference by name: phones must take
//! all of them (vendor facts, "PnP answers by servers in the field").

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
    /// Every single difference with its name.
    #[must_use]
    pub fn named() -> [(&'static str, Self); 13] {
        let none = Self::default();
        let with = |change: fn(&mut Self)| {
            let mut manner = none;
            change(&mut manner);
            manner
        };
        [
            ("cseq-raised", with(|it| it.cseq_raised = true)),
            ("via-own", with(|it| it.via = ViaManner::Own)),
            (
                "state-noresource",
                with(|it| it.state = StateManner::NoResource),
            ),
            ("state-missing", with(|it| it.state = StateManner::Missing)),
            ("event-bare", with(|it| it.event = EventManner::Bare)),
            (
                "event-constant",
                with(|it| it.event = EventManner::Constant),
            ),
            (
                "contact-empty",
                with(|it| it.contact = ContactManner::Empty),
            ),
            (
                "contact-missing",
                with(|it| it.contact = ContactManner::Missing),
            ),
            ("unfinished", with(|it| it.unfinished = true)),
            ("type-ucm", with(|it| it.ucm_type = true)),
            ("to-sip-port", with(|it| it.to_sip_port = true)),
            ("tags-swapped", with(|it| it.tags_swapped = true)),
            ("as-the-standards-say", none),
        ]
    }
}
