use super::*;

fn start(shape: &LoadShape, index: u32) -> Duration {
    Schedule::new(shape, 1, &[("one", 1_000)]).start_of(Seat {
        index,
        fleet: 0,
        within: index,
    })
}

fn group(members: Members, at_s: u64, pace: Pace) -> Group {
    Group {
        name: "g".to_owned(),
        members,
        at: Duration::from_secs(at_s),
        pace,
    }
}

#[test]
fn storm_starts_everyone_at_once_and_rate_evenly() {
    assert_eq!(start(&LoadShape::Storm, 999), Duration::ZERO);
    let rate = LoadShape::Rate { per_s: 50.0 };
    assert_eq!(start(&rate, 0), Duration::ZERO);
    assert_eq!(start(&rate, 100), Duration::from_secs(2));
}

#[test]
fn ramp_grows_to_its_rate_and_keeps_it() {
    let over = Duration::from_secs(10);
    let ramp = LoadShape::Ramp {
        from_per_s: 0.0,
        to_per_s: 20.0,
        over,
    };
    assert_eq!(start(&ramp, 0), Duration::ZERO);
    assert_eq!(start(&ramp, 100), over);
    assert_eq!(start(&ramp, 25), Duration::from_secs(5));
    assert_eq!(start(&ramp, 120), Duration::from_secs(11));
    let level = LoadShape::Ramp {
        from_per_s: 5.0,
        to_per_s: 5.0,
        over,
    };
    assert_eq!(start(&level, 10), Duration::from_secs(2));
}

#[test]
fn arrivals_never_go_back_in_time() {
    let over = Duration::from_secs(3);
    let falling = LoadShape::Ramp {
        from_per_s: 100.0,
        to_per_s: 1.0,
        over,
    };
    let starts: Vec<_> = (0..400).map(|index| start(&falling, index)).collect();
    assert!(starts.is_sorted());
}

#[test]
fn waves_take_their_share_of_every_fleet_one_after_the_other() {
    let shape = LoadShape::Waves(vec![
        group(Members::Share(1), 0, Pace::PerSecond(10.0)),
        group(Members::Share(3), 60, Pace::AtOnce),
    ]);
    let schedule = Schedule::new(&shape, 1, &[("one", 40), ("two", 8)]);
    let start = |index, fleet, within| {
        schedule.start_of(Seat {
            index,
            fleet,
            within,
        })
    };
    assert_eq!(start(9, 0, 9), Duration::from_millis(900));
    assert_eq!(start(10, 0, 10), Duration::from_secs(60));
    // The second fleet's part of the first wave follows the first one's.
    assert_eq!(start(40, 1, 0), Duration::from_secs(1));
    assert_eq!(start(41, 1, 1), Duration::from_millis(1_100));
    assert_eq!(start(42, 1, 2), Duration::from_secs(60));
}

#[test]
fn waves_may_name_their_fleets() {
    let fleets = |name: &str| Members::Fleets(vec![name.to_owned()]);
    let shape = LoadShape::Waves(vec![
        group(fleets("two"), 0, Pace::PerSecond(2.0)),
        group(fleets("one"), 30, Pace::AtOnce),
    ]);
    let schedule = Schedule::new(&shape, 1, &[("one", 4), ("two", 4)]);
    let start = |index, fleet, within| {
        schedule.start_of(Seat {
            index,
            fleet,
            within,
        })
    };
    assert_eq!(start(3, 0, 3), Duration::from_secs(30));
    assert_eq!(start(7, 1, 3), Duration::from_millis(1_500));
    let mut shape = shape;
    shape.keep_fleets(|name| name == "one");
    assert_eq!(shape.groups().len(), 1);
}

#[test]
fn power_comes_back_exponentially_and_the_same_from_the_same_seed() {
    let mean = Duration::from_secs(20);
    let shape = LoadShape::PowerReturn(vec![group(Members::Share(1), 5, Pace::Exponential(mean))]);
    let starts = |seed| -> Vec<f64> {
        let schedule = Schedule::new(&shape, seed, &[("one", 20_000)]);
        let seats = (0..20_000).map(|index| Seat {
            index,
            fleet: 0,
            within: index,
        });
        seats
            .map(|seat| schedule.start_of(seat).as_secs_f64() - 5.0)
            .collect()
    };
    let mut drawn = starts(1);
    assert_eq!(drawn, starts(1));
    assert_ne!(drawn, starts(2));
    let average = drawn.iter().sum::<f64>() / 20_000.0;
    assert!((average - 20.0).abs() < 0.5, "{average}");
    drawn.sort_by(f64::total_cmp);
    // Half of them within ln 2 of the mean, 95 of 100 within three times the mean.
    assert!(
        (drawn[10_000] / 20.0 - 0.693).abs() < 0.03,
        "{}",
        drawn[10_000]
    );
    assert!(
        (drawn[19_000] / 20.0 - 2.996).abs() < 0.1,
        "{}",
        drawn[19_000]
    );
}
