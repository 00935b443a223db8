//! Settings: what a file may set, and how it is taken over.

use bootstorm_emulator::event::{BootCause, EventKind, LineReason, RunResult};

use crate::{
    FIRST, SECOND, STORED, ended, name_held, named, nvm, phone, settings, with_settings, xml,
};

/// Every parameter of the sample with its value (GIG-50, GIG-51), the period of public templates,
/// and one that nobody knows.
const SAMPLE: [(&str, &str); 43] = [
    ("SIP.LogLevel", "4"),
    ("SIP.TransportProtocol", "1"),
    ("SIP.Port", "5060"),
    ("SIP.Timers.Session", "3600"),
    ("SIP.Timers.FailedRegistration", "300"),
    ("SIP.Timers.Subscription", "1800"),
    ("SIP.PRACK", "1"),
    ("SIP.RTP.Port", "8000"),
    ("SIP.RTP.UseRandomPorts", "0"),
    ("SIP.RTP.UseSymmetricPorts", "0"),
    ("SIP.RTP.UseRTCP", "0"),
    ("SIP.RTP.Duration", "20"),
    ("SIP.Security.AcceptNonSRTPCalls", "1"),
    ("SIP.AvailableCodecs", "0"),
    ("SIP.ActiveCodecs", "0"),
    ("SIP.DefaultAccount", "0"),
    ("SIP.Account.0.AccountName", "IP1"),
    ("SIP.Account.0.Active", "1"),
    ("SIP.Account.0.Provider", "Provider"),
    ("SIP.Account.0.AuthName", " AuthName "),
    ("SIP.Account.0.AuthPassword", "Pass"),
    ("SIP.Account.0.DisplayName", "DisplayName"),
    ("SIP.Account.0.Username", "Username "),
    ("SIP.Account.0.Domain", "sip.domain.com"),
    ("SIP.Account.0.CLIPSource", "2"),
    ("SIP.Account.0.CLIR", "0"),
    ("SIP.Account.0.ProxyServer.Address", "sip.proxy.com"),
    ("SIP.Account.0.ProxyServer.Port", "5060"),
    (
        "SIP.Account.0.RegistrationServer.Address",
        "sip.registration.com",
    ),
    ("SIP.Account.0.RegistrationServer.Port", "5060"),
    ("SIP.Account.0.RegistrationServer.RefreshTimer", "180"),
    ("SIP.Account.0.STUN.Enabled", "1"),
    ("SIP.Account.0.STUN.Address", "sip.stun.com"),
    ("SIP.Account.0.STUN.Port", "3478"),
    ("SIP.Account.0.STUN.RefreshTimer", "240"),
    ("SIP.Account.0.STUN.NATRefreshTimer", "20"),
    ("SIP.Account.0.OutboundProxy.Mode", "2"),
    ("SIP.Account.0.OutboundProxy.Address", "sip.proxy.com"),
    ("SIP.Account.0.OutboundProxy.Port", "5060"),
    ("SIP.Account.0.DTMFTransmission", "1"),
    ("SIP.Account.0.AutoNegOfDTMFTransmission", "1"),
    ("System.Provision.Period", "0"),
    ("Not.In.The.Sample", "kept"),
];

fn ignored(world: &crate::world::World, wanted: LineReason) -> u32 {
    let counts = world.kinds().filter_map(|kind| match kind {
        EventKind::LinesIgnored { reason, count, .. } if reason == wanted => Some(count),
        _ => None,
    });
    counts.sum()
}

// GIG-49, GIG-50, GIG-51: the sample file, blanks at the ends of values included.
#[test]
fn takes_every_parameter_of_the_sample_as_it_is_written() {
    let world = with_settings(&nvm(FIRST), &settings("1.0", &SAMPLE)).boot();
    for (name, value) in SAMPLE {
        assert_eq!(world.held(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(ignored(&world, LineReason::BadValue), 0);
    ended(&world, RunResult::Complete);
}

// GIG-50: values of the wrong type are told by their line and left out; so is a fifth account.
#[test]
fn leaves_out_values_of_the_wrong_type() {
    let wrong = [
        ("SIP.LogLevel", "much"),
        ("SIP.Port", "65536"),
        ("SIP.PRACK", "yes"),
        ("SIP.Account.3.RegistrationServer.RefreshTimer", "-1"),
        ("SIP.Account.0.ProxyServer.Port", "5060 "),
    ];
    let world = with_settings(&nvm(FIRST), &settings("1.0", &wrong)).boot();
    for (name, _) in wrong {
        assert_eq!(world.held(name), None, "{name}");
    }
    assert_eq!(ignored(&world, LineReason::BadValue), 5);
    let fifth = [
        ("SIP.Account.4.Username", "a"),
        ("SIP.Account.3.Username", "b"),
    ];
    let world = with_settings(&nvm(FIRST), &settings("1.0", &fifth)).boot();
    assert_eq!(world.held("SIP.Account.4.Username"), None);
    assert_eq!(world.held("SIP.Account.3.Username").as_deref(), Some("b"));
    assert_eq!(ignored(&world, LineReason::IndexBeyondModel), 1);
}

// GIG-52: what a later file does not name stays as it was.
#[test]
fn keeps_the_parameters_that_a_later_file_does_not_name() {
    let mut world = with_settings(
        &nvm(FIRST),
        &settings("1.0", &[("SIP.Port", "5070"), ("SIP.LogLevel", "1")]),
    )
    .boot();
    world.serve("nvm/updates.xml", nvm(SECOND));
    world.serve(
        "nvm/settings.xml",
        settings("1.0", &[("SIP.LogLevel", "2")]),
    );
    world.reboot();
    assert_eq!(world.held("SIP.Port").as_deref(), Some("5070"));
    assert_eq!(world.held("SIP.LogLevel").as_deref(), Some("2"));
    assert_eq!(world.held(STORED).as_deref(), Some(SECOND));
}

// GIG-54: settings need no reboot.
#[test]
fn does_not_reboot_for_settings() {
    let world = with_settings(&nvm(FIRST), &settings("1.0", &SAMPLE)).boot();
    assert_eq!(world.count(|kind| matches!(kind, EventKind::Booting(_))), 1);
    assert!(world.has(EventKind::Booting(BootCause::Power)));
}

// GIG-37: a settings file cannot make the phone believe in a version that it was not announced as.
#[test]
fn stores_the_announced_version_over_one_in_the_file() {
    let file = settings("1.0", &[(STORED, "9"), ("SIP.Port", "5070")]);
    let world = with_settings(&nvm(FIRST), &file).boot();
    assert_eq!(world.held(STORED).as_deref(), Some(FIRST));
    assert_eq!(world.held("SIP.Port").as_deref(), Some("5070"));
}

// GIG-37, GIG-40: a version is a text, whatever is in it: it is stored as it came and sets nothing
// else.
#[test]
fn stores_a_version_of_any_text() {
    for (written, read) in [
        ("1&#10;SIP.Port=6000", "1\nSIP.Port=6000"),
        ("# 1 = &quot;2&quot;", "# 1 = \"2\""),
        ("&lt;a&gt; &amp; b", "<a> & b"),
    ] {
        let mut world = with_settings(&nvm(written), &named("a")).boot();
        assert_eq!(world.held(STORED).as_deref(), Some(read));
        assert_eq!(world.held("SIP.Port"), None);
        world.reboot();
        assert_eq!(world.files()[2..], ["/nvm/updates.xml"]);
    }
}

// GIG-37: a settings file without parameters is a version all the same.
#[test]
fn stores_the_version_of_an_empty_file() {
    let mut world = with_settings(&nvm(FIRST), &settings("1.0", &[])).boot();
    assert_eq!(world.held(STORED).as_deref(), Some(FIRST));
    world.reboot();
    assert_eq!(world.files().len(), 3);
}

// GIG-40, GIG-56: a settings file that nobody announced is applied again unless its own version is
// the one stored.
#[test]
fn tells_an_unannounced_file_by_its_own_version() {
    let own = "device/7c2f80123456.xml";
    let applied = |kind: &EventKind| matches!(kind, EventKind::Applied { .. });
    let mut world = phone().file(own, named("a")).boot();
    world.reboot();
    assert_eq!(world.count(applied), 1);
    let dated = |name| settings(FIRST, &[("SIP.Account.0.AccountName", name)]);
    let mut world = phone().file(own, dated("a")).boot();
    assert_eq!(world.held(STORED).as_deref(), Some(FIRST));
    world.serve(own, dated("b"));
    world.reboot();
    assert_eq!(world.count(applied), 0);
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Complete);
}

// GIG-33: a list of settings may hold the settings themselves, as public templates do.
#[test]
fn takes_parameters_out_of_a_list() {
    let list = xml("<nvm version=\"1.0\"><param name=\"SIP.Port\" value=\"5070\"/></nvm>");
    let world = with_settings(&list, "").boot();
    assert_eq!(world.held("SIP.Port").as_deref(), Some("5070"));
}
