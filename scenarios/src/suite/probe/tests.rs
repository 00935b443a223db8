use bootstorm_emulator::located::{Log, Node, Reader};

use super::*;

fn read(text: &str) -> (Option<ProbeStep>, String) {
    let log = Log::default();
    let tree = Node::parse("suite.toml", text, &log);
    let root = Reader::new(&tree, &log);
    let read = step(&root);
    drop(root);
    (read, log.into_faults().to_string())
}

#[test]
fn reads_options_in_their_order_and_case() {
    let (step, faults) = read(
        "probe = \"tftp-read\"\nfile = \"{mac}.cfg\"\nlisten_s = 0.5\n\
         options = { TSIZE = 0, blksize = \"08\", Timeout = 3 }\nlose = \"data\"\nlose_block = 2\n",
    );
    assert_eq!(faults, "");
    let step = step.expect("a step");
    assert_eq!(step.listen, Duration::from_millis(500));
    let Ask::Tftp(read) = step.ask else {
        panic!("{:?}", step.ask)
    };
    let names: Vec<_> = read.options.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["TSIZE", "blksize", "Timeout"]);
    assert_eq!(read.options[1].1, "08");
    assert_eq!((read.lose, read.lose_block), (Some(Lost::Data), 2));
}

#[test]
fn tells_every_fault_of_a_step_with_its_place_and_the_nearest_word() {
    let (_, faults) = read(
        "probe = \"http-get\"\npath = \"a.cfg\"\nuser = \"x\"\ncondition = \"etags\"\n\
         lose = \"oack\"\ntls = \"1.1\"\n",
    );
    for expected in [
        "suite.toml:2:8: 'path' does not begin with a slash (raw = true sends it as it is)",
        "suite.toml:3:8: 'user' without 'auth'",
        "'condition' is 'etags' (expected one of etag, modified, other-etag; did you mean 'etag'?)",
        "suite.toml:5:1: unknown key 'lose'",
        "'tls' is '1.1' (expected one of 1.2, 1.3",
    ] {
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
}

#[test]
fn names_the_nearest_kind_of_probe() {
    let (step, faults) = read("probe = \"tftp-reed\"\nfile = \"x\"\n");
    assert_eq!(step, None);
    assert!(faults.contains("did you mean 'tftp-read'?"), "{faults}");
    assert_eq!(faults.lines().count(), 1, "{faults}");
}

#[test]
fn a_step_that_fetches_nothing_equals_no_file() {
    let (_, faults) = read("probe = \"sntp\"\nsame_as = \"x\"\n");
    assert!(faults.contains("'same_as' with \"sntp\""), "{faults}");
}

#[test]
fn reads_client_identifiers_in_hexadecimal() {
    let (step, faults) = read(
        "probe = \"dhcp\"\nkind = \"discover\"\nclient_id = \"01 00 0b\"\nparameters = [66, 43]\n",
    );
    assert_eq!(faults, "");
    let Some(Ask::Dhcp(ask)) = step.map(|step| step.ask) else {
        panic!("no DHCP")
    };
    assert_eq!(ask.client_id.as_deref(), Some(&[1, 0, 11][..]));
    assert_eq!(ask.parameters.as_deref(), Some(&[66, 43][..]));
    let (_, faults) = read("probe = \"dhcp\"\nkind = \"discover\"\nclient_id = \"01 0\"\n");
    assert!(faults.contains("expected bytes in hexadecimal"), "{faults}");
}
