//! Phones are told apart by what they show.

use bootstorm::observe::{fit, traits};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::wire::message;

use crate::round::{frames, observed, plan, ran};

#[test]
fn every_phone_of_a_run_fits_its_own_profile_best() {
    let profiles = ProfileSet::built_in();
    for (scenario, phones) in [("first-run", 60), ("every-way", 80)] {
        let plan = plan(scenario, phones);
        let mut ended = ran(&plan);
        let mut observer = observed(&frames(&plan, &mut ended));
        for index in 0..plan.phones() {
            let phone = plan.phone(index).expect("planned");
            let (mac, own) = (phone.identity.mac, plan.profile(&phone).expect("a profile"));
            let messages = message::decode(observer.record(mac).expect("a record"));
            let seen = traits::shown(mac, &messages);
            let fits = fit::fits(mac, &seen, &profiles);
            let own_fit = fits
                .iter()
                .find(|it| it.profile.name == own.name)
                .expect("known");
            let best = &fits[0];
            let text = format!(
                "{} {mac}: {} {}",
                own.name,
                best.profile.name,
                best.reasons()
            );
            assert_eq!(best.score, own_fit.score, "{text}\n{:#?}", own_fit.compared);
            assert!(best.is_good(), "{text}");
            assert!(
                own_fit.score >= 75,
                "{} {}: {:#?}",
                own.name,
                own_fit.score,
                own_fit.compared
            );
            // Another vendor's fit clearly worse.
            let vendor = own.name.split('/').next();
            let other = fits
                .iter()
                .find(|it| it.profile.name.split('/').next() != vendor);
            let other = other.expect("another vendor");
            assert!(other.score < own_fit.score, "{text} {}", other.profile.name);
        }
    }
}

#[test]
fn what_no_phone_does_fits_none() {
    let profiles = ProfileSet::built_in();
    let mac = bootstorm_emulator::identity::Mac([0x3c, 0x52, 0x82, 1, 2, 3]);
    let trait_of = |aspect, value: &str| traits::Trait {
        aspect,
        value: value.to_owned(),
        at: None,
    };
    let seen = [
        trait_of(traits::Aspect::Oui, "3c:52:82"),
        trait_of(traits::Aspect::Class, "MSFT 5.0"),
        trait_of(
            traits::Aspect::Parameters,
            "1 3 6 15 31 33 43 44 46 47 119 121 249 252",
        ),
        trait_of(traits::Aspect::Options, "53 61 12 81 60 55"),
    ];
    let best = &fit::fits(mac, &seen, &profiles)[0];
    assert!(!best.is_good(), "{} {}", best.profile.name, best.score);
}
