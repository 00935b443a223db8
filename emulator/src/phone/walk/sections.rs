//! Settings sections, reference documents and operations (AUE-47 … AUE-80).

use std::rc::Rc;

use super::Walk;
use crate::bodies::Body;
use crate::event::Fault;
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::turn::Turn;

/// What reference documents named and is still to come.
#[derive(Debug, Default)]
pub(super) struct Referenced {}

impl Walk {
    /// The next file that a reference document named; `None` when the position moved on.
    pub(super) fn reference_target(&mut self, _turn: &mut Turn<'_>) -> Option<Target> {
        self.at = super::Position::Apply;
        None
    }

    /// A document of the sections family is here, from whatever position.
    pub(super) fn sections_document(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        _body: &Rc<Body>,
    ) {
        self.unreadable(turn, holdings, target, Fault::WrongFormat);
    }
}
