//! A document of the catalogue family is here: is it one, is it for this phone, is it the version
//! that was announced, and what does it hold.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Asked, Frame, Inline};
use crate::bodies::Body;
use crate::event::{EventKind, Fault, File, Limit, LineReason};
use crate::format::catalogue::{Catalogue, Item, ItemKind, Role, Root};
use crate::format::xml::Reader;
use crate::format::{self, Document, Draft, Format, Reading};
use crate::limits::CATALOGUE_DEPTH_MAX;
use crate::phone::apply::{self, Collected};
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::phone::walk::{Position, Walk};
use crate::profile::{Change, Param};
use crate::version;

impl Walk {
    /// A document of the catalogue family is here, from whatever position.
    pub(in crate::phone::walk) fn catalogue_document(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
    ) {
        let shelf = &mut *turn.shelf;
        let options = turn.profile.format;
        let document = shelf
            .bodies
            .document(body, Format::Catalogue, options, &mut shelf.keys);
        let Some(catalogue) = document
            .catalogue
            .as_deref()
            .filter(|_| document.reading == Reading::Whole)
        else {
            apply::report_ignored(turn, target.file, &document.faults);
            return self.no_catalogue(turn, holdings, target, fault_in(body.bytes()));
        };
        if is_foreign(turn, &document, catalogue) {
            return self.skip(turn, holdings, target, Fault::ForeignDocument);
        }
        let asked = std::mem::take(&mut self.catalogued.asked);
        let own = document.text(catalogue.version).trim();
        let own = Some(own).filter(|own| version::is_stamp(own));
        let announced = match &asked {
            Asked::Settings(announced) if !announced.is_empty() => Some(announced.as_ref()),
            _ => None,
        };
        // GIG-41, GIG-42
        if let (Some(own), Some(announced)) = (own, announced)
            && own != announced
        {
            return self.unreadable(turn, holdings, target, Fault::VersionMismatch);
        }
        let versions = (announced, own);
        let inline = own_settings(turn, holdings, target, body, catalogue.root, versions);
        self.begin_catalogue(turn);
        self.enter_frame(turn, target, Rc::clone(&document), inline);
    }

    /// What came is no document of the family. A URL that is tried as it stands may well be a
    /// directory, with a page about it (GIG-11).
    fn no_catalogue(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        fault: Fault,
    ) {
        let index = target.step.fetch_index();
        let fetch = index.and_then(|index| turn.profile.fetches.get(index));
        if fetch.is_some_and(|fetch| fetch.as_given) {
            self.skip(turn, holdings, target, fault);
        } else {
            self.unreadable(turn, holdings, target, fault);
        }
    }

    /// As if the file were absent (GIG-25).
    fn skip(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        fault: Fault,
    ) {
        let file = target.file;
        turn.event(EventKind::DocumentSkipped { file, fault });
        self.end.fetched = self.end.fetched.saturating_sub(1);
        if self.at != Position::Catalogue {
            self.not_had(turn, holdings, Fault::NotThere);
        }
    }

    /// Notes where the walk goes on when all that catalogues name is done.
    fn begin_catalogue(&mut self, turn: &Turn<'_>) {
        if self.at == Position::Catalogue {
            return;
        }
        match self.at {
            Position::Fetch(index) => {
                if let Some(fetch) = turn.profile.fetches.get(usize::from(index)) {
                    self.goto(fetch.found);
                }
            }
            _ => self.at = Position::Apply,
        }
        self.catalogued.resume = Some(self.at);
        self.at = Position::Catalogue;
    }

    fn enter_frame(
        &mut self,
        turn: &mut Turn<'_>,
        target: &Target,
        document: Rc<Document>,
        inline: Option<Inline>,
    ) {
        let items = document.catalogue.as_deref().map(|held| &*held.items);
        let items = items.unwrap_or_default();
        report_unknown(turn, target.file, items);
        if items.is_empty() {
            if let Some(inline) = inline {
                self.take(turn, inline);
            }
            return;
        }
        if self.catalogued.frames.len() >= CATALOGUE_DEPTH_MAX {
            let (limit, value) = (Limit::LinkDepth, CATALOGUE_DEPTH_MAX as u64);
            turn.event(EventKind::LimitReached { limit, value });
            self.end.failed += 1;
            return;
        }
        let firmware = newest(&document, items, Role::Firmware);
        let frame = Frame {
            url: target.url.clone(),
            firmware: firmware.and_then(|at| items.get(at)).copied(),
            inline,
            newest: newest(&document, items, Role::Nvm),
            next: 0,
            document,
        };
        self.catalogued.frames.push(frame);
    }

    /// Settings that are taken over at the end of the walk, merged into those held (GIG-52).
    pub(super) fn take(&mut self, turn: &mut Turn<'_>, inline: Inline) {
        if let Some(stamp) = inline.stamp {
            self.catalogued.stamp = Some((inline.collected.file, stamp));
        }
        self.keep(turn, inline.collected);
    }

    /// Stores the version of the settings that were just taken over (GIG-37, GIG-38).
    pub(in crate::phone::walk) fn store_stamp(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
    ) {
        let Some((file, stamp)) = self.catalogued.stamp.take() else {
            return;
        };
        let spec = turn.profile.params.get(Param::SettingsVersion as usize);
        let Some(key) = spec.and_then(|spec| spec.keys.first()) else {
            return;
        };
        // A body, so that the phones of a fleet share it; in the format that gives back whatever
        // text a list has as a version, line ends too.
        let draft = Draft {
            settings: &[(key, &stamp)],
            ..Draft::default()
        };
        let bytes = format::write(Format::Catalogue, turn.profile.format, &draft);
        let shelf = &mut *turn.shelf;
        let body = shelf.bodies.insert(&bytes);
        let vetted = shelf.bodies.vetted(
            &body,
            Format::Catalogue,
            turn.profile,
            holdings.profile_index,
            &mut shelf.keys,
        );
        let flash = &mut *holdings.flash;
        flash
            .web
            .retain(|(held, _)| *held != Param::SettingsVersion);
        flash.settings.overlay(file, vetted);
    }
}

/// The document's own settings; none where only its root says that it could have some.
fn own_settings(
    turn: &mut Turn<'_>,
    holdings: &Holdings<'_>,
    target: &Target,
    body: &Rc<Body>,
    root: Root,
    (announced, own): (Option<&str>, Option<&str>),
) -> Option<Inline> {
    let shelf = &mut *turn.shelf;
    let vetted = shelf.bodies.vetted(
        body,
        Format::Catalogue,
        turn.profile,
        holdings.profile_index,
        &mut shelf.keys,
    );
    let (file, md5) = (target.file, body.md5());
    if vetted.document.settings.is_empty() && root != Root::Settings {
        apply::report_ignored(turn, file, &vetted.faults);
        return None;
    }
    let stamp = announced.or(own);
    let stored = params::text(turn, holdings.flash, Param::SettingsVersion);
    let known = match (turn.profile.change, stamp) {
        (Change::Digest, _) => holdings.flash.digest(file) == Some(md5),
        (_, Some(stamp)) => announced.is_none() && stamp == stored,
        (_, None) => false,
    };
    if known {
        turn.event(EventKind::Unchanged { file });
    }
    let stamp = stamp.filter(|_| !known).map(Into::into);
    let collected = Collected {
        file,
        format: Format::Catalogue,
        md5,
        vetted,
        known,
    };
    Some(Inline { collected, stamp })
}

/// Made for another product or another phone (GIG-25). A MAC address is in lower case with colons
/// (GIG-24); written otherwise it is nobody's.
fn is_foreign(turn: &Turn<'_>, document: &Document, catalogue: &Catalogue) -> bool {
    let product = document.text(catalogue.product).trim();
    let mac = document.text(catalogue.mac).trim();
    let digits = turn.identity.mac.digits();
    let own_product = turn.profile.product.as_str();
    let product_fits = product.is_empty() || own_product.is_empty() || product == own_product;
    let mac_fits = mac.is_empty() || mac.split(':').map(str::as_bytes).eq(digits.chunks(2));
    !product_fits || !mac_fits
}

/// What is wrong with bytes that are no document of the family: XML that cannot be read, or
/// something else altogether (GIG-11, GIG-20).
fn fault_in(bytes: &[u8]) -> Fault {
    if !bytes.trim_ascii_start().starts_with(b"<") {
        return Fault::WrongFormat;
    }
    let mut reader = Reader::new(bytes);
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return Fault::WrongFormat,
            Err(_) => return Fault::BadXml,
        }
    }
}

/// Says which items of a document are of kinds that are not known.
fn report_unknown(turn: &mut Turn<'_>, file: File, items: &[Item]) {
    let mut unknown = items.iter().filter(|item| item.kind == ItemKind::Other);
    let Some(first) = unknown.next() else {
        return;
    };
    let others = u32::try_from(unknown.count()).unwrap_or(u32::MAX);
    turn.event(EventKind::LinesIgnored {
        file,
        reason: LineReason::NotALink,
        count: others.saturating_add(1),
        first_line: first.line,
    });
}

/// The place of the newest file of a role (GIG-34 … GIG-36); of equal ones the last.
fn newest(document: &Document, items: &[Item], role: Role) -> Option<usize> {
    let version = |item: &Item| document.text(item.version).trim();
    let mut best: Option<(usize, &str)> = None;
    for (at, item) in items.iter().enumerate() {
        if item.kind != ItemKind::File(role) {
            continue;
        }
        let own = version(item);
        if best.is_none_or(|(_, held)| version::compare(own, held) != Ordering::Less) {
            best = Some((at, own));
        }
    }
    best.map(|(at, _)| at)
}
