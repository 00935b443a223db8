use super::*;
use crate::scenario;
use bootstorm_emulator::profile::set::ProfileSet;
use std::net::Ipv4Addr;

const FLEETS: &str = r#"
name = "links"
[[fleet]]
name = "near"
phones = 4
source = "dhcp"
transport = "http"
layout = "tree"
[fleet.profiles]
"plug-n-dial/bva8051" = 1
[[fleet]]
name = "far"
phones = 4
source = "dhcp"
transport = "http"
layout = "tree"
root = "far"
[fleet.profiles]
"plug-n-dial/bva8051" = 1
"#;

/// The plan with a link for all and one for the second fleet.
fn plan(all: &str, far: &str) -> Plan {
    let text = format!("{FLEETS}\n[fleet.link]\n{far}\n[link]\n{all}\n");
    let scenario = scenario::read("links.toml", &text).expect("sound");
    Plan::new(scenario, &ProfileSet::built_in(), Ipv4Addr::LOCALHOST).expect("a plan")
}

fn lines(far: &str) -> Lines {
    Lines::new(&plan("", far), 4..8).expect("conditions")
}

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

/// How many of so many datagrams, one a second, arrive, by number of copies.
fn arrived(lines: &mut Lines, slot: u32, way: Way, count: u64) -> [usize; 3] {
    let mut copies = [0; 3];
    for number in 0..count {
        let arrivals = lines.datagram(slot, way, at(number * 1_000), 500);
        copies[arrivals.into_iter().flatten().count()] += 1;
    }
    copies
}

#[test]
fn a_fleet_lays_its_link_over_that_of_all() {
    let plan = plan("delay_ms = 30\nloss_per_mille = 5", "loss_per_mille = 7");
    let [near, far] = [0, 1].map(|at| plan.scenario.link_of(&plan.scenario.fleets[at]));
    assert_eq!((near.loss_per_mille, far.loss_per_mille), (5, 7));
    assert_eq!(far.delay, Duration::from_millis(30));
    let lines = Lines::new(&plan, 0..8).expect("conditions");
    assert_eq!((lines.link(0), lines.link(4)), (near, far));
}

#[test]
fn costs_nothing_where_no_link_has_conditions() {
    assert!(Lines::new(&plan("", ""), 0..8).is_none());
    let mut lines = Lines::new(&plan("", "loss_per_mille = 1000"), 0..8).expect("conditions");
    assert_eq!(lines.datagram(0, Way::Sent, at(3), 9), [Some(at(3)), None]);
    assert_eq!(lines.datagram(5, Way::Sent, at(3), 9), [None, None]);
    assert!(lines.flow(0).is_none());
}

#[test]
fn loses_duplicates_and_holds_back_as_often_as_it_is_told() {
    let mut lines = lines("loss_per_mille = 100\nduplicate_per_mille = 50\nreorder_per_mille = 20");
    let [none, _, twice] = arrived(&mut lines, 1, Way::Received, 20_000);
    // Four standard deviations of the binomial distribution.
    assert!((1_830..=2_170).contains(&none), "{none}");
    assert!((780..=1_020).contains(&twice), "{twice}");
    let told = lines.tally().told();
    assert_eq!((told.datagrams, told.lost), (20_000, none as u64));
    assert_eq!(told.duplicated, twice as u64);
    assert!((280..=440).contains(&told.reordered), "{told:?}");
    let sentence = told.sentence().expect("something crossed it");
    assert!(sentence.contains("20000 datagrams"), "{sentence}");
    assert!(sentence.contains(&format!("{none} lost")), "{sentence}");
}

#[test]
fn repeats_a_phones_fate_whoever_else_is_there_and_whatever_goes_the_other_way() {
    let conditions = "loss_per_mille = 300\njitter_ms = 40\nreset_per_mille = 500";
    let fate = |lines: &mut Lines, slot, noise: bool| {
        let mut fate = Vec::new();
        for number in 0..200 {
            let now = at(number * 1_000);
            if noise {
                lines.datagram(slot, Way::Received, now, 9);
            }
            fate.push(lines.datagram(slot, Way::Sent, now, 9));
        }
        let flow = |lines: &mut Lines| lines.flow(slot).expect("conditions").resets_after;
        (fate, [(); 20].map(|()| flow(lines)))
    };
    let plan = plan("", conditions);
    let mut alone = Lines::new(&plan, 6..7).expect("conditions");
    let mut many = Lines::new(&plan, 0..8).expect("conditions");
    arrived(&mut many, 5, Way::Sent, 77);
    let known = fate(&mut alone, 0, false);
    assert_eq!(known, fate(&mut many, 6, true));
    assert_ne!(known, fate(&mut many, 7, true));
}

#[test]
fn delays_at_least_as_long_as_it_is_told_and_at_most_with_all_jitter() {
    let mut lines = lines("delay_ms = 20\njitter_ms = 5");
    let mut late = 0;
    for number in 0..1_000 {
        let now = at(number * 1_000);
        let [Some(arrival), None] = lines.datagram(2, Way::Sent, now, 100) else {
            panic!("neither loss nor copies");
        };
        let delay = arrival.since(now);
        assert!(delay >= Duration::from_millis(20), "{delay:?}");
        assert!(delay <= Duration::from_millis(25), "{delay:?}");
        late += u32::from(delay > Duration::from_micros(22_500));
    }
    assert!((400..=600).contains(&late), "{late}");
}

#[test]
fn a_narrow_link_carries_what_it_can_and_drops_what_would_wait_too_long() {
    // 100 bytes with headers in 100 ms.
    let mut lines = lines("bandwidth_kbit_s = 8");
    let mut last = Moment::ZERO;
    let mut carried = 0;
    for _ in 0..40 {
        if let [Some(arrival), _] = lines.datagram(0, Way::Sent, Moment::ZERO, 72) {
            assert_eq!(arrival.since(last), Duration::from_millis(100));
            last = arrival;
            carried += 1;
        }
    }
    // One second's worth waits besides the one that is being sent.
    assert_eq!((carried, lines.tally().told().overflown), (11, 29));
    let other = lines.datagram(0, Way::Received, Moment::ZERO, 72);
    assert_eq!(other, [Some(at(100)), None], "the other way is free");
}

#[test]
fn a_connection_takes_the_time_of_its_bytes_and_keeps_their_order() {
    let mut lines = lines("bandwidth_kbit_s = 800\ndelay_ms = 10");
    let mut flow = lines.flow(0).expect("conditions");
    assert_eq!(flow.handshake(false), Duration::from_millis(20));
    assert_eq!(flow.handshake(true), Duration::from_millis(40));
    let (mut rest, mut last) = (146_000, Moment::ZERO);
    while rest > 0 {
        let passage = flow.down(Moment::ZERO, rest);
        assert!(passage.bytes > 0 && passage.bytes <= PIECE_BYTES_MAX);
        assert!(passage.at > last && !passage.reset);
        (rest, last) = (rest - passage.bytes, passage.at);
    }
    // 100 KB/s for 146 KB and the headers of a hundred and a few segments.
    let took = last.since(Moment::ZERO).as_millis();
    assert!((1_500..=1_530).contains(&took), "{took}");
    assert!(flow.closing(at(5)) >= last);
    assert!(flow.backlog(at(1_000)) > Duration::from_millis(400));
    assert_eq!(flow.up(at(7), 60), at(18));
}

#[test]
fn resets_as_many_connections_as_it_is_told_after_as_much() {
    let mut lines = lines("reset_per_mille = 250\nreset_after_bytes = 1000");
    let mut reset = 0;
    for _ in 0..4_000 {
        let mut flow = lines.flow(3).expect("conditions");
        let first = flow.down(at(1), 700);
        assert_eq!((first.bytes, first.reset), (700, false));
        let second = flow.down(at(2), 700);
        reset += u32::from(second.reset);
        assert_eq!(second.bytes, if second.reset { 300 } else { 700 });
    }
    assert!((890..=1_110).contains(&reset), "{reset}");
    assert_eq!(lines.tally().told().reset, u64::from(reset));
}

#[test]
fn a_connection_is_reset_in_place_of_the_first_byte_where_no_amount_is_said() {
    let mut flow = lines("reset_per_mille = 1000").flow(0).expect("conditions");
    let passage = flow.down(at(1), 700);
    assert_eq!((passage.bytes, passage.reset), (0, true));
    let mut flow = lines("reset_after_bytes = 5").flow(0).expect("conditions");
    assert_eq!(flow.down(at(1), 5).bytes, 5, "all connections");
    let mut flow = lines("reset_after_bytes = 5").flow(0).expect("conditions");
    assert!(flow.down(at(1), 5).reset);
}

#[test]
fn stalls_once_and_goes_on() {
    let mut lines = lines("stall = { after_bytes = 100, for_ms = 400 }");
    let mut flow = lines.flow(0).expect("conditions");
    let before = flow.down(at(10), 300);
    assert_eq!((before.bytes, before.at), (100, at(10)));
    let after = flow.down(at(10), 200);
    assert_eq!((after.bytes, after.at), (200, at(410)));
    assert_eq!(flow.down(at(500), 900).at, at(500));
    assert_eq!(lines.tally().told().stalled, 1);
}

#[test]
fn says_what_is_wrong_with_a_link() {
    let faults = |link: &str| {
        let text = format!("{FLEETS}\n[fleet.link]\n{link}\n");
        let faults = scenario::read("links.toml", &text).expect_err("faults");
        faults.to_string()
    };
    for (link, said) in [
        ("loss_per_mille = 1001", "a whole number from 0 to 1000"),
        ("bandwith_kbit_s = 1", "did you mean 'bandwidth_kbit_s'"),
        (
            "stall = { after_bytes = 5 }",
            "missing key 'fleet[1].link.stall.for_ms'",
        ),
        ("delay_ms = 90000000", "a day at most"),
    ] {
        let told = faults(link);
        assert!(told.starts_with("links.toml:"), "{told}");
        assert!(told.contains(said), "{told}");
    }
}
