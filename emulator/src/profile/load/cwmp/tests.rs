use crate::profile::Param;
use crate::profile::cwmp::{Binding, CwmpSpec, Live, Row};
use crate::profile::load::Library;
use crate::wire::soap::{Kind, Version};

const LINES: &str = r#"
[cwmp]
root = "InternetGatewayDevice."
product_class = "X6"
serial = "00100400FV0200100000{mac}"
version = "1.1"
clauses = ["FAN-113", "FAN-143"]
[cwmp.tables]
"Line." = { addable = true }
[cwmp.parameters]
"DeviceInfo.SoftwareVersion" = { constant = "{firmware}", inform = true }
"ManagementServer.PeriodicInformInterval" = { param = "acs_period_s", range = [1, 9999], writable = true }
"ManagementServer.ConnectionRequestURL" = { live = "connection-request-url", inform = true }
"ManagementServer.EnableCWMP" = { param = "acs_enable" }
"Line.{n}.Enable" = { account = "enable", words = { Enabled = "1", Disabled = "0" }, writable = true }
"Line.{n}.Label" = { setting = "phone.line {n} label", writable = true }
"#;

fn load(lines: &str) -> Result<CwmpSpec, String> {
    let mut library = Library::default();
    let vendor = include_str!("../../../../profiles/flyingvoice/vendor.toml");
    let model = include_str!("../../../../profiles/flyingvoice/fip13g.toml");
    library.add("flyingvoice/vendor.toml", vendor).unwrap();
    library.add("flyingvoice/fip13g.toml", model).unwrap();
    let text = format!("inherits = \"flyingvoice/fip13g\"\n{lines}");
    library.add("test/phone.toml", &text).unwrap();
    let loaded = library.load("test/phone");
    loaded
        .map(|profile| profile.cwmp.expect("a cwmp table"))
        .map_err(|faults| faults.to_string())
}

// FAN-113, FAN-143.
#[test]
fn reads_the_data_model_with_a_leaf_for_each_account() {
    let spec = load(LINES).unwrap();
    assert_eq!((spec.port, spec.version), (7_547, Version::V1_1));
    let lines = spec.tables[0].count;
    assert!(lines > 1, "{:?}", spec.tables);
    assert_eq!(spec.parameters.len(), 4 + 2 * usize::from(lines));
    let sorted = spec
        .parameters
        .is_sorted_by(|left, right| left.path < right.path);
    assert!(sorted);
    let leaf = |path: &str| {
        let path = ["InternetGatewayDevice.", path].concat();
        &spec.parameters[spec.find(&path).expect("a leaf")]
    };
    let period = leaf("ManagementServer.PeriodicInformInterval");
    assert_eq!(period.binding, Binding::Param(Param::AcsPeriodS));
    assert_eq!(
        (period.kind, period.range),
        (Kind::UnsignedInt, Some((1, 9_999)))
    );
    assert_eq!(leaf("ManagementServer.EnableCWMP").kind, Kind::Boolean);
    let url = leaf("ManagementServer.ConnectionRequestURL");
    assert_eq!(url.binding, Binding::Live(Live::ConnectionRequestUrl));
    let second = leaf("Line.2.Label");
    assert_eq!(
        second.binding,
        Binding::Setting("phone.line 2 label".to_owned())
    );
    let instance = 2;
    assert_eq!(second.row, Some(Row { table: 0, instance }));
    assert_eq!(
        leaf("Line.2.Enable").words[0],
        ("Enabled".to_owned(), "1".to_owned())
    );
    let under = spec.under("InternetGatewayDevice.Line.2.");
    assert_eq!(under.len(), 2);
    assert_eq!(spec.under("InternetGatewayDevice.Nothing.").len(), 0);
}

#[test]
fn says_everything_that_is_wrong_at_once() {
    let faults = load(
        r#"
[cwmp]
root = "Device"
timeout_ms = 5000
[cwmp.tables]
"Line" = { instances = 2 }
[cwmp.parameters]
"A..B" = { constant = "" }
"A" = { constant = "", param = "acs_url" }
"B" = { param = "acs_urll" }
"C" = { account = "nothing" }
"D.{n}.E" = { setting = "e" }
"F" = { constant = "1", range = [2, 1] }
"G" = { constant = "1", type = "strin" }
"#,
    )
    .unwrap_err();
    for expected in [
        "cwmp.root",
        "less than 6000",
        "dot at their end",
        "at most one {n}",
        "expected one of 'param'",
        "did you mean 'acs_url'",
        "the name of a key of 'accounts'",
        "no table",
        "'range' is not",
        "did you mean 'string'",
    ] {
        assert!(faults.contains(expected), "{expected} in\n{faults}");
    }
}
