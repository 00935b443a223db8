//! `[load]`: when phones are switched on.

use std::time::Duration;

use bootstorm_emulator::located::{Reader, did_you_mean, nearest};

use super::super::Fleet;
use crate::load_shape::{Group, LoadShape, Members, Pace, Rounds};

/// The highest rate of arrivals, and the highest share of a group.
const PER_S_MAX: f64 = 1_000_000.0;
const SHARE_MAX: u32 = 1_000_000;
/// How long power is gone in a soak, unless the scenario says otherwise.
const OFF: Duration = Duration::from_secs(1);

/// `[load]`
pub(super) fn shape(table: &Reader<'_>, fleets: &[Fleet]) -> LoadShape {
    const SHAPES: [(u8, &str); 6] = [
        (0, "storm"),
        (1, "rate"),
        (2, "ramp"),
        (3, "waves"),
        (4, "power-return"),
        (5, "soak"),
    ];
    let per_s = |key| table.need(key).real(0.001..=PER_S_MAX).unwrap_or(1.0);
    match table.need("shape").word(&SHAPES) {
        Some(1) => LoadShape::Rate {
            per_s: per_s("per_s"),
        },
        Some(2) => LoadShape::Ramp {
            from_per_s: table
                .need("from_per_s")
                .real(0.0..=PER_S_MAX)
                .unwrap_or(0.0),
            to_per_s: per_s("to_per_s"),
            over: above_zero(table, "over_s"),
        },
        Some(3) => LoadShape::Waves(groups(table, "wave", fleets, |table| {
            let per_s = table.may("per_s").real(0.001..=PER_S_MAX);
            per_s.map_or(Pace::AtOnce, Pace::PerSecond)
        })),
        Some(4) => LoadShape::PowerReturn(power_return(table, fleets)),
        Some(5) => LoadShape::Soak {
            per_s: per_s("per_s"),
            rounds: rounds(table),
        },
        _ => LoadShape::Storm,
    }
}

/// A time that must be given and not be 0.
fn above_zero(table: &Reader<'_>, key: &str) -> Duration {
    let slot = table.need(key);
    let time = slot.duration().unwrap_or(Duration::from_secs(1));
    if time.is_zero() {
        slot.fault(format!("'{key}' is 0 (expected a time above 0)"));
    }
    time
}

/// `period_s` and `off_s` of a soak.
fn rounds(table: &Reader<'_>) -> Rounds {
    let every = above_zero(table, "period_s");
    let slot = table.may("off_s");
    let off = slot.duration().unwrap_or(OFF.min(every / 2));
    if off >= every {
        slot.fault("'off_s' is not below 'period_s'");
    }
    Rounds { every, off }
}

/// One switch, or `[[load.switch]]` each with a mean of its own.
fn power_return(table: &Reader<'_>, fleets: &[Fleet]) -> Vec<Group> {
    let whole = table.may("mean_s");
    let given = table.may("switch").is_given();
    if !given {
        let mean = above_zero(table, "mean_s");
        return vec![Group {
            name: "all".to_owned(),
            members: Members::Share(1),
            at: Duration::ZERO,
            pace: Pace::Exponential(mean),
        }];
    }
    let usual = whole.duration();
    groups(table, "switch", fleets, |table| {
        let own = table.may("mean_s");
        let mean = match (own.is_given(), usual) {
            (false, Some(usual)) => usual,
            _ => above_zero(table, "mean_s"),
        };
        Pace::Exponential(mean)
    })
}

/// `[[load.wave]]` or `[[load.switch]]`
fn groups(
    table: &Reader<'_>,
    key: &str,
    fleets: &[Fleet],
    pace: impl Fn(&Reader<'_>) -> Pace,
) -> Vec<Group> {
    let slot = table.need(key);
    let tables = slot.tables();
    if tables.is_empty() && slot.is_given() {
        slot.fault(format!("no {key} (expected at least one)"));
    }
    let groups: Vec<_> = tables
        .iter()
        .map(|table| Group {
            name: table.need("name").text().unwrap_or_default().to_owned(),
            members: members(table, fleets),
            at: table.may("at_s").duration().unwrap_or_default(),
            pace: pace(table),
        })
        .collect();
    complete(table, key, &groups, fleets);
    groups
}

/// `share = 3` or `fleets = ["one", "two"]`
fn members(table: &Reader<'_>, fleets: &[Fleet]) -> Members {
    let (share, named) = (table.may("share"), table.may("fleets"));
    if share.is_given() == named.is_given() {
        table.fault("expected 'share' or 'fleets'");
    }
    if !named.is_given() {
        return Members::Share(share.number(1..=SHARE_MAX).unwrap_or(1));
    }
    let known = || fleets.iter().map(|fleet| fleet.name.as_str());
    let mut names = Vec::new();
    for item in named.list() {
        let Some(name) = item.text() else { continue };
        if known().any(|held| held == name) {
            names.push(name.to_owned());
        } else {
            let hint = did_you_mean(nearest(name, known()));
            item.fault(format!("no fleet is called \"{name}\"{hint}"));
        }
    }
    Members::Fleets(names)
}

/// Every fleet is in one group exactly.
fn complete(table: &Reader<'_>, key: &str, groups: &[Group], fleets: &[Fleet]) {
    let named: Vec<_> = groups
        .iter()
        .filter_map(|group| match &group.members {
            Members::Fleets(names) => Some(names),
            Members::Share(_) => None,
        })
        .flatten()
        .collect();
    let by_share = groups
        .iter()
        .any(|group| matches!(group.members, Members::Share(_)));
    match (named.is_empty(), by_share) {
        (false, true) => table.fault(format!(
            "some of '{key}' have 'share', others 'fleets' (expected one of them in all)"
        )),
        (false, false) => {
            for fleet in fleets {
                match named.iter().filter(|name| ***name == fleet.name).count() {
                    1 => {}
                    0 => table.fault(format!("fleet \"{}\" is in no {key}", fleet.name)),
                    _ => table.fault(format!(
                        "fleet \"{}\" is in more than one {key}",
                        fleet.name
                    )),
                }
            }
        }
        (true, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn with(load: &str) -> Result<LoadShape, String> {
        let fleet = |name: &str| {
            format!(
                "[[fleet]]\nname = \"{name}\"\nphones = 1\nsource = \"dhcp\"\n\
                 transport = \"http\"\nlayout = \"l\"\nprofiles.\"a/b\" = 1\n"
            )
        };
        let text = format!(
            "name = \"x\"\n[load]\n{load}\n{}{}",
            fleet("one"),
            fleet("two")
        );
        let scenario = read("x.toml", &text).map_err(|faults| faults.to_string())?;
        Ok(scenario.load)
    }

    #[test]
    fn reads_waves_switches_and_soaks() {
        let waves = with(
            "shape = \"waves\"\n[[load.wave]]\nname = \"a\"\nshare = 2\n[[load.wave]]\n\
             name = \"b\"\nshare = 1\nat_s = 30\nper_s = 10",
        );
        let LoadShape::Waves(waves) = waves.unwrap() else {
            panic!("waves");
        };
        assert_eq!(waves[1].members, Members::Share(1));
        assert_eq!(waves[1].at, Duration::from_secs(30));
        assert_eq!(
            (waves[0].pace, waves[1].pace),
            (Pace::AtOnce, Pace::PerSecond(10.0))
        );
        let back = with(
            "shape = \"power-return\"\nmean_s = 20\n[[load.switch]]\nname = \"a\"\n\
             fleets = [\"one\"]\n[[load.switch]]\nname = \"b\"\nfleets = [\"two\"]\nmean_s = 5",
        );
        let back = back.unwrap();
        let means: Vec<_> = back.groups().iter().map(|group| group.pace).collect();
        let mean = |seconds| Pace::Exponential(Duration::from_secs(seconds));
        assert_eq!(means, [mean(20), mean(5)]);
        let soak = with("shape = \"soak\"\nper_s = 5\nperiod_s = 60\noff_s = 2").unwrap();
        let rounds = soak.rounds().unwrap();
        assert_eq!((rounds.every.as_secs(), rounds.off.as_secs()), (60, 2));
    }

    #[test]
    fn says_what_is_wrong_with_them() {
        for (load, told) in [
            ("shape = \"wave\"", "did you mean 'waves'"),
            ("shape = \"waves\"", "missing key 'load.wave'"),
            ("shape = \"waves\"\nwave = []", "no wave"),
            (
                "shape = \"waves\"\nwave = [{ name = \"a\" }]",
                "expected 'share' or 'fleets'",
            ),
            (
                "shape = \"waves\"\nwave = [{ name = \"a\", fleets = [\"on\"] }]",
                "did you mean 'one'?",
            ),
            (
                "shape = \"waves\"\nwave = [{ name = \"a\", fleets = [\"one\"] }]",
                "fleet \"two\" is in no wave",
            ),
            (
                "shape = \"waves\"\nwave = [{ name = \"a\", fleets = [\"one\", \"two\"] }, \
                 { name = \"b\", fleets = [\"one\"] }]",
                "fleet \"one\" is in more than one wave",
            ),
            (
                "shape = \"waves\"\nwave = [{ name = \"a\", fleets = [\"one\", \"two\"] }, \
                 { name = \"b\", share = 1 }]",
                "some of 'wave' have 'share'",
            ),
            ("shape = \"power-return\"", "missing key 'load.mean_s'"),
            (
                "shape = \"power-return\"\nmean_s = 0",
                "expected a time above 0",
            ),
            (
                "shape = \"soak\"\nper_s = 1\nperiod_s = 2\noff_s = 2",
                "not below 'period_s'",
            ),
            (
                "shape = \"rate\"\nper_s = 1\nmean_s = 2",
                "unknown key 'mean_s'",
            ),
        ] {
            let faults = with(load).unwrap_err();
            assert!(faults.contains(told), "{load}: {faults}");
        }
    }
}
