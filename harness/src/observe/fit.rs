//! Which profile a phone fits best, and why.

use std::fmt::Write as _;
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::Profile;
use bootstorm_emulator::profile::set::ProfileSet;

use super::traits::{self, Aspect, Trait};

/// From so much on a phone is taken for one of the profile, in hundredths.
pub const FITS_MIN: u32 = 60;
/// Of what is alike but not the same, so much counts at most, in hundredths.
const ALIKE_MAX: u32 = 90;

/// How well a phone fits a profile.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The profile.
    pub profile: Arc<Profile>,
    /// From 0 to 100: how much of what the phone showed, and the profile says something of, is
    /// alike.
    pub score: u32,
    /// How many other profiles it fits as well.
    pub as_well: usize,
    /// Each aspect that both say something of.
    pub compared: Vec<Compared>,
}

/// An aspect of a phone beside that of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Which.
    pub aspect: Aspect,
    /// What the phone showed.
    pub seen: String,
    /// What the profile says.
    pub expected: String,
    /// From 0, nothing in common, to 100, the same.
    pub likeness: u32,
}

impl Fit {
    /// Whether the phone is taken for one of the profile.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.score >= FITS_MIN
    }

    /// Why, in a sentence: what is the same, and what is not.
    #[must_use]
    pub fn reasons(&self) -> String {
        let words = |same: bool| {
            let fitting = self
                .compared
                .iter()
                .filter(|it| (it.likeness == 100) == same);
            let words: Vec<&str> = fitting.map(|it| it.aspect.word()).collect();
            words.join(", ")
        };
        let mut text = match (words(true), words(false)) {
            (same, other) if same.is_empty() => format!("differs in {other}"),
            (same, other) if other.is_empty() => format!("same {same}"),
            (same, other) => format!("same {same}; differs in {other}"),
        };
        if self.as_well > 0 {
            let _ = write!(text, "; {} other models look the same", self.as_well);
        }
        text
    }
}

/// How well a phone fits one profile.
#[must_use]
pub fn fit(mac: Mac, seen: &[Trait], profile: &Arc<Profile>) -> Fit {
    let expected = traits::of(profile, mac);
    let compared = seen.iter().filter_map(|seen| {
        let (_, expected) = expected.iter().find(|(aspect, _)| *aspect == seen.aspect)?;
        Some(Compared {
            aspect: seen.aspect,
            seen: seen.value.clone(),
            expected: expected.clone(),
            likeness: likeness(seen.aspect, &seen.value, expected),
        })
    });
    let compared: Vec<Compared> = compared.collect();
    let weight: u32 = compared.iter().map(|it| it.aspect.weight()).sum();
    let sum = compared.iter().map(|it| it.likeness * it.aspect.weight());
    Fit {
        profile: Arc::clone(profile),
        score: sum.sum::<u32>().checked_div(weight).unwrap_or(0),
        as_well: 0,
        compared,
    }
}

/// How well a phone fits every profile, the best first; of equal ones by name.
#[must_use]
pub fn fits(mac: Mac, seen: &[Trait], profiles: &ProfileSet) -> Vec<Fit> {
    let mut fits: Vec<Fit> = profiles.iter().map(|it| fit(mac, seen, it)).collect();
    fits.sort_by(|a, b| {
        let by_name = || a.profile.name.cmp(&b.profile.name);
        b.score.cmp(&a.score).then_with(by_name)
    });
    let best = fits.first().map_or(0, |fit| fit.score);
    let as_well = fits.iter().filter(|fit| fit.score == best).count();
    if let Some(fit) = fits.first_mut() {
        fit.as_well = as_well.saturating_sub(1);
    }
    fits
}

fn likeness(aspect: Aspect, seen: &str, expected: &str) -> u32 {
    if seen == expected {
        return 100;
    }
    match aspect {
        Aspect::Oui | Aspect::Length => 0,
        // A phone asks for some of the names, until one is there.
        Aspect::Names => {
            let known: Vec<&str> = expected.split(' ').collect();
            let all = seen.split(' ').count();
            let fit = seen.split(' ').filter(|name| known.contains(name)).count();
            share(fit, all)
        }
        _ => {
            let (ours, theirs) = (words(seen), words(expected));
            let common = ours.iter().filter(|word| theirs.contains(word)).count();
            let all = ours.len() + theirs.len() - common.min(theirs.len());
            share(common, all).min(ALIKE_MAX)
        }
    }
}

fn share(of: usize, all: usize) -> u32 {
    u32::try_from((of * 100).checked_div(all).unwrap_or(0)).unwrap_or(0)
}

/// The words of a text, each once.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '.' && c != '=') {
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}
