//! Two files that are asked for at the same time (FAN-87). Whichever comes first, they count in the
//! order of the profile (FAN-14): both are over before either is looked at.

use super::{Position, Walk};
use crate::phone::fetching::{Fetching, Finished, Target};
use crate::phone::holdings::{Carried, Holdings};
use crate::phone::io::Input;
use crate::phone::turn::Turn;
use crate::time::Moment;

/// The second file's own transfer, and what came of either.
#[derive(Debug)]
pub(super) struct Pair {
    lane: Fetching,
    first: Option<Finished>,
    second: Option<Finished>,
    /// Both are over; only the second's last block may still come again (RFC 1350 §6).
    over: bool,
}

impl Pair {
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.lane.deadline()
    }

    pub(super) fn carried(&self) -> Carried {
        self.lane.carried()
    }

    pub(super) fn close(&mut self, turn: &mut Turn<'_>) {
        self.lane.close(turn);
    }

    /// Something of the pair is still to come.
    fn is_open(&self) -> bool {
        !self.over && (self.first.is_none() || self.second.is_none())
    }
}

impl Walk {
    /// Requests a file and, right behind it, the next one. True while either is under way.
    pub(super) fn request_pair(
        &mut self,
        turn: &mut Turn<'_>,
        first: Target,
        second: Target,
    ) -> bool {
        let first = self.fetching.request(turn, first);
        let mut lane = self.fetching.beside();
        let second = lane.request(turn, second);
        self.fetching.follow(&lane);
        let pair = Pair {
            lane,
            first,
            second,
            over: false,
        };
        let open = pair.is_open();
        self.pair = Some(Box::new(pair));
        open
    }

    /// A pair is under way.
    pub(super) fn is_paired(&self) -> bool {
        self.pair.as_deref().is_some_and(|pair| !pair.over)
    }

    /// Takes an input while a pair is under way; true while some of it still is.
    pub(super) fn pair_input(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> bool {
        let Some(pair) = self.pair.as_deref_mut() else {
            return false;
        };
        // Each takes what is its own; a datagram only one of them, since the other would answer it
        // as a repeated block.
        let (mut ours, mut beside) = (true, true);
        if let Input::Datagram { channel, .. } = *input {
            beside = pair.lane.owns(channel);
            ours = !beside;
        }
        if ours && pair.first.is_none() {
            pair.first = self.fetching.input(turn, input);
            pair.lane.follow(&self.fetching);
        } else if ours {
            let _ = self.fetching.input(turn, input);
        }
        if beside && pair.second.is_none() {
            pair.second = pair.lane.input(turn, input);
            self.fetching.follow(&pair.lane);
        } else if beside {
            let _ = pair.lane.input(turn, input);
        }
        pair.is_open()
    }

    /// Both files are over: the first counts first, so that the second wins (FAN-14).
    pub(super) fn pair_ended(&mut self, turn: &mut Turn<'_>, holdings: &mut Holdings<'_>) {
        let Some(pair) = self.pair.as_deref_mut() else {
            return;
        };
        pair.over = true;
        pair.lane.close(turn);
        let ends = [pair.first.take(), pair.second.take()];
        for (target, ending) in ends.into_iter().flatten() {
            let index = target.step.fetch_index();
            let here = matches!(self.at, Position::Fetch(at) if Some(usize::from(at)) == index);
            if here {
                self.ended(turn, holdings, &target, ending);
            }
        }
    }

    /// A datagram for the second transfer of a pair that is over: true when it was that one's.
    pub(super) fn pair_stray(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> bool {
        let Input::Datagram { channel, .. } = *input else {
            return false;
        };
        let Some(pair) = self.pair.as_deref_mut() else {
            return false;
        };
        let own = pair.over && pair.lane.owns(channel);
        if own {
            let _ = pair.lane.input(turn, input);
        }
        own
    }
}
