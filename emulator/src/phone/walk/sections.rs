//! Settings sections, reference documents and operations (AUE-47 … AUE-80): each is used as it
//! comes, and what a reference document names is fetched at its place, one file after another
//! (AUE-16, AUE-58).

pub(in crate::phone) mod take;

use std::rc::Rc;

use super::{Position, Walk};
use crate::bodies::Body;
use crate::event::{EventKind, Fault, File, Limit};
use crate::format::Format;
use crate::format::sections::Parsed;
use crate::limits::{LINKS_MAX, REFERENCE_DEPTH_MAX};
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::profile::StepId;
use crate::url::{Url, UrlFault};

/// What reference documents named and is still to come.
#[derive(Debug, Default)]
pub(super) struct Referenced {
    /// The references under way, the outermost first.
    frames: Vec<Frame>,
    /// What was asked for in this run, none of it twice (AUE-65).
    asked: Vec<Url>,
}

/// One reference document.
#[derive(Debug)]
struct Frame {
    parsed: Rc<Parsed>,
    /// Where it came from, redirects followed: its URLs are relative to it (AUE-67).
    url: Url,
    next: usize,
    resume: Position,
}

impl Walk {
    /// The next file that a reference document named; `None` when the position moved on.
    pub(super) fn reference_target(&mut self, turn: &mut Turn<'_>) -> Option<Target> {
        let Some(frame) = self.referenced.frames.last_mut() else {
            self.at = Position::Apply;
            return None;
        };
        let Some(link) = reference(&frame.parsed, frame.next) else {
            self.at = frame.resume;
            self.referenced.frames.pop();
            return None;
        };
        frame.next += 1;
        let link = params::expand(turn, link);
        let url = resolved(&frame.url, &link, turn.profile.format.root_queries);
        let Ok(url) = url else {
            let (step, fault) = (StepId::LINKED, Fault::BadTarget);
            turn.event(EventKind::GaveUp { step, fault });
            self.end.failed += 1;
            return None;
        };
        let file = File::Named(turn.shelf.url(&url.to_string()));
        if self.referenced.asked.contains(&url) {
            let fault = Fault::Cycle;
            turn.event(EventKind::DocumentSkipped { file, fault });
            return None;
        }
        if self.links_followed >= LINKS_MAX {
            self.over(turn, Limit::Links, LINKS_MAX);
            frames_end(&mut self.referenced.frames);
            return None;
        }
        self.links_followed += 1;
        self.referenced.asked.push(url.clone());
        Some(Target {
            step: StepId::LINKED,
            file,
            format: Format::Sections,
            url,
            image: false,
        })
    }

    /// A document of the sections family is here, from whatever position.
    pub(super) fn sections_document(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
    ) {
        let parsed = match take::read(turn, body) {
            Ok(parsed) => parsed,
            Err(fault) => return self.unreadable(turn, holdings, target, fault),
        };
        match self.at {
            Position::Fetch(index) => {
                let next = turn.profile.fetches.get(usize::from(index));
                self.goto(next.map_or(crate::profile::Next::End, |fetch| fetch.found));
            }
            Position::Given => self.at = Position::Apply,
            _ => {}
        }
        if matches!(*parsed, Parsed::References(_)) {
            return self.references(turn, target, parsed);
        }
        let mut holder = take::Holder {
            flash: holdings.flash,
            profile_index: holdings.profile_index,
        };
        take::apply(turn, &mut holder, target.file, &parsed);
    }

    /// A reference document is here: what it names comes next.
    fn references(&mut self, turn: &mut Turn<'_>, target: &Target, parsed: Rc<Parsed>) {
        if self.referenced.frames.len() >= REFERENCE_DEPTH_MAX as usize {
            self.over(turn, Limit::LinkDepth, REFERENCE_DEPTH_MAX);
            return;
        }
        // A redirect may have led elsewhere: neither is to be asked for again.
        let asked = &mut self.referenced.asked;
        for url in [&self.base, &target.url] {
            if !asked.contains(url) {
                asked.push(url.clone());
            }
        }
        self.referenced.frames.push(Frame {
            parsed,
            url: target.url.clone(),
            next: 0,
            resume: self.at,
        });
        self.at = Position::Reference;
    }

    fn over(&mut self, turn: &mut Turn<'_>, limit: Limit, value: u32) {
        let value = u64::from(value);
        turn.event(EventKind::LimitReached { limit, value });
        self.end.failed += 1;
    }
}

/// The URL of a reference in the document at `base` (AUE-59 … AUE-63).
fn resolved(base: &Url, link: &str, root_queries: bool) -> Result<Url, UrlFault> {
    let name = link.trim_start();
    let is_plain = !name.contains(['/', ':']) || name.find('?') < name.find(['/', ':']);
    if root_queries && is_plain && !name.starts_with('?') && name.contains('?') {
        return base.join(&["/", name].concat());
    }
    base.join(link)
}

/// The URL at a place of a reference document.
fn reference(parsed: &Parsed, at: usize) -> Option<&str> {
    let Parsed::References(list) = parsed else {
        return None;
    };
    list.get(at).map(|reference| reference.url.as_str())
}

/// Nothing more is fetched for any of them.
fn frames_end(frames: &mut [Frame]) {
    for frame in frames {
        frame.next = usize::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Scheme;

    fn url(link: &str, root_queries: bool) -> String {
        let base = "http://prov.server.com/prov/references.xml";
        let base = Url::parse(base, Scheme::Http).unwrap();
        resolved(&base, link, root_queries).unwrap().to_string()
    }

    // AUE-59 … AUE-63, under both readings.
    #[test]
    fn resolves_references_under_both_readings() {
        for (link, plain, printed) in [
            ("a.xml", "/prov/a.xml", "/prov/a.xml"),
            ("/a.xml", "/a.xml", "/a.xml"),
            ("sub/p?m=1", "/prov/sub/p?m=1", "/prov/sub/p?m=1"),
            ("/p?m=1", "/p?m=1", "/p?m=1"),
            ("p?m=1", "/prov/p?m=1", "/p?m=1"),
            (" p?u=http://x/ ", "/prov/p?u=http://x/", "/p?u=http://x/"),
            (
                "?m=1",
                "/prov/references.xml?m=1",
                "/prov/references.xml?m=1",
            ),
            ("../a.xml", "/a.xml", "/a.xml"),
        ] {
            let host = "http://prov.server.com";
            assert_eq!(url(link, false), format!("{host}{plain}"), "{link}");
            assert_eq!(url(link, true), format!("{host}{printed}"), "{link}");
        }
        let other = "https://another.server.com/x.xml?m=1";
        assert_eq!(url(other, true), other);
    }
}
