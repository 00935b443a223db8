//! Catalogues: a document that lists categories, each with a list of versions, each naming a file
//! (GIG-17 … GIG-48).

use std::rc::Rc;

use super::Walk;
use crate::bodies::Body;
use crate::event::Fault;
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::turn::Turn;

/// What catalogues named and is still to come.
#[derive(Debug, Default)]
pub(super) struct Catalogued {}

impl Walk {
    /// The next file that a catalogue named; `None` when the position moved on without one.
    pub(super) fn catalogue_target(
        &mut self,
        _turn: &mut Turn<'_>,
        _holdings: &mut Holdings<'_>,
    ) -> Option<Target> {
        self.at = super::Position::Apply;
        None
    }

    /// A document of the catalogue family is here, from whatever position.
    pub(super) fn catalogue_document(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        _body: &Rc<Body>,
    ) {
        self.unreadable(turn, holdings, target, Fault::WrongFormat);
    }

    /// A file of another kind that a catalogue named is here: a certificate.
    pub(super) fn catalogued(
        &mut self,
        _turn: &mut Turn<'_>,
        _holdings: &mut Holdings<'_>,
        _target: &Target,
        _body: &Rc<Body>,
    ) {
    }

    /// A file that a catalogue named cannot be had.
    pub(super) fn catalogue_not_had(
        &mut self,
        _turn: &mut Turn<'_>,
        _holdings: &mut Holdings<'_>,
        _fault: Fault,
    ) {
        self.end.failed += 1;
    }
}
