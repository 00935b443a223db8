//! Boot files and the files that they include (FLY-12 … FLY-24).

use std::rc::Rc;

use super::document::fault_of;
use super::{Position, Walk};
use crate::bodies::Body;
use crate::event::{EventKind, Fault, Limit};
use crate::format::{Document, Format};
use crate::limits::{LINK_DEPTH_MAX, LINKS_MAX};
use crate::phone::apply;
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::profile::{Fetch, StepId};
use crate::url::Url;

/// The links of one document that are still to follow.
#[derive(Debug)]
pub(super) struct LinkFrame {
    document: Rc<Document>,
    url: Url,
    next: u32,
    resume: Position,
}

impl Walk {
    pub(super) fn link_target(&mut self, turn: &mut Turn<'_>) -> Option<Target> {
        let frame = self.links.last_mut()?;
        let Some(link) = frame.document.links.get(frame.next as usize).copied() else {
            self.at = frame.resume;
            self.links.pop();
            return None;
        };
        frame.next += 1;
        if self.links_followed >= LINKS_MAX {
            let limit = Limit::Links;
            turn.event(EventKind::LimitReached {
                limit,
                value: u64::from(LINKS_MAX),
            });
            self.end.failed += 1;
            frame.next = u32::MAX;
            return None;
        }
        self.links_followed += 1;
        let text = params::expand(turn, frame.document.text(link.url));
        let Ok(url) = frame.url.join(&text) else {
            let fault = Fault::BadTarget;
            turn.event(EventKind::GaveUp {
                step: StepId::INCLUDE,
                fault,
            });
            self.end.failed += 1;
            return None;
        };
        Some(Target::named(turn, StepId::INCLUDE, link.format, url))
    }

    pub(super) fn boot_file(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
        fetch: Option<&Fetch>,
    ) {
        let shelf = &mut *turn.shelf;
        let options = turn.profile.format;
        let document = shelf
            .bodies
            .document(body, Format::Boot, options, &mut shelf.keys);
        if let Some(fault) = fault_of(document.reading) {
            return self.unreadable(turn, holdings, target, fault);
        }
        apply::report_ignored(turn, target.file, &document.faults);
        if let Some(fetch) = fetch {
            self.goto(fetch.found);
        } else if self.at == Position::Given {
            self.at = Position::Apply;
        }
        if self.links.len() >= LINK_DEPTH_MAX as usize {
            let limit = Limit::LinkDepth;
            turn.event(EventKind::LimitReached {
                limit,
                value: u64::from(LINK_DEPTH_MAX),
            });
            self.end.failed += 1;
            return;
        }
        let resume = self.at;
        self.links.push(LinkFrame {
            document,
            url: target.url.clone(),
            next: 0,
            resume,
        });
        self.at = Position::Link;
    }
}
