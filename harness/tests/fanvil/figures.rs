//! The samples that the document prints, as they stand there, given to phones.

use std::net::Ipv4Addr;

use bootstorm_emulator::event::{EventKind, File, Tolerance};
use bootstorm_emulator::profile::StepId;

use crate::world::World;
use crate::{OWN, named};

const DEVICE: File = File::Step(StepId(StepId::FIRST_FETCH + 1));
const FIGURE_1: &str = "<<VOIP CONFIG FILE>>Version:2.0002\r\n\r\n\
    <GLOBAL CONFIG MODULE>\r\n\r\nTime Zone :32\r\n\r\n\
    <AUTOUPDATE CONFIG MODULE>\r\n\r\n\
    Auto Pbook Url :tftp://123:123@172.16.6.70/500.csv\r\n\r\n\
    Auto Image Url :http://123:123@172.16.6.70:8000/x4.z\r\n\r\n\
    Auto Etc Url :tftp://172.16.6.70/sips.pem\r\n\r\n\
    <<END OF FILE>>\r\n";
const FIGURE_6: &str = "<VOIP CONFIG FILE>\r\n<Digests>2.0002</Digests>\r\n\
    <GLOBAL CONFIG MODULE>\r\n<Time_Zone>32</Time_Zone>\r\n</GLOBAL CONFIG MODULE>\r\n\
    <AUTOUPDATE CONFIG MODULE>\r\n\
    <Auto Image Url> tftp://172.16.6.45/x4.z</Auto Image Url>\r\n\
    </AUTOUPDATE CONFIG MODULE>\r\n</VOIP_CONFIG_FILE>\r\n";

fn shown(world: &World, wanted: File) -> Option<String> {
    world.kinds().find_map(|kind| match kind {
        EventKind::VersionShown { file, version } if file == wanted => {
            Some(world.shelf.urls.text(version).to_owned())
        }
        _ => None,
    })
}

/// On the network of the figures.
fn x4() -> World {
    let (server, phone) = (Ipv4Addr::new(172, 16, 6, 70), Ipv4Addr::new(172, 16, 6, 90));
    World::at("fanvil/x4", server, phone, 1).option(66, "tftp://172.16.6.70/$mac.cfg")
}

// FAN-28, FAN-29, FAN-30, FAN-31, FAN-33, FAN-34, FAN-40, FAN-134: figure 1; its header is shorter
// than the text demands, which is told.
#[test]
fn takes_figure_1() {
    let world = x4()
        .file(OWN, FIGURE_1)
        .file("x4.z", b"\x7fimage")
        .file("500.csv", "\"Ann\",\"100\"\r\n")
        .boot();
    assert_eq!(world.held("global.time zone").as_deref(), Some("32"));
    assert_eq!(shown(&world, DEVICE).as_deref(), Some("2.0002"));
    let tolerance = Tolerance::HeaderLength;
    assert!(world.has(EventKind::Tolerated {
        file: DEVICE,
        tolerance
    }));
    let mut fetched = world.files().split_off(2);
    fetched.truncate(3);
    fetched.sort();
    assert_eq!(fetched, ["/x4.z", "500.csv", "sips.pem"]);
    let to: Vec<String> = world
        .up()
        .filter(|packet| packet.bytes.windows(4).any(|text| text == b"x4.z"))
        .map(|packet| packet.peer.to_string())
        .collect();
    assert_eq!(to, ["172.16.6.70:8000"]);
    assert!(world.firmware().is_some());
}

// FAN-27, FAN-35, FAN-36, FAN-37, FAN-41: figure 6, which no reader of XML takes, under the name of
// a text file.
#[test]
fn takes_figure_6() {
    let world = x4().file(OWN, FIGURE_6).file("x4.z", b"\x7fimage").boot();
    assert_eq!(world.held("global.time zone").as_deref(), Some("32"));
    assert_eq!(shown(&world, DEVICE).as_deref(), Some("2.0002"));
    let tolerance = Tolerance::Damaged;
    assert!(world.has(EventKind::Tolerated {
        file: DEVICE,
        tolerance
    }));
    assert_eq!(world.files()[2], "x4.z");
    assert!(world.firmware().is_some());
}

// FAN-32, FAN-39: the sample for one option; the remark behind its value is not part of it.
#[test]
fn takes_the_sample_with_a_remark() {
    let sample = "<<VOIP CONFIG FILE>>Version:2.0002\r\n\r\n<GLOBAL CONFIG MODULE>\r\n\r\n\
        Host Name :VOIP (not less than 20 characters)\r\n\r\n<<END OF FILE>>";
    let world = x4().file(OWN, sample).boot();
    assert_eq!(world.held("global.host name").as_deref(), Some("VOIP"));
}

// FAN-49: what a phone says of itself by HTTP, to the byte.
#[test]
fn asks_by_http_as_such_phones_do() {
    let world = World::new("fanvil/x4")
        .option(66, "http://10.0.0.2:8088/X4/$mac.cfg")
        .file("X4/000307a9b486.cfg", named("http"))
        .boot();
    let sent: Vec<String> = world
        .up()
        .filter(|packet| packet.bytes.starts_with(b"GET "))
        .map(|packet| String::from_utf8(packet.bytes.clone()).unwrap())
        .collect();
    let head = |name: &str| {
        format!(
            "GET /X4/{name} HTTP/1.1\r\nHost: 10.0.0.2:8088\r\n\
             User-Agent: Fanvil X4 2.10.2.6887 000307a9b486\r\nAccept: */*\r\n\r\n"
        )
    };
    assert_eq!(sent, [head("f0X4hw1.100.cfg"), head(OWN)]);
}
