//! The lab of the stand-in, as its owner would write it down.

use std::fs;
use std::path::PathBuf;

use crate::place::{Lab, MAC, SERVER, SWITCH, WRITER};

/// Writes lab.toml; `pnp` says whether the handset's page has PnP on, `power` more of the switch,
/// `place` more of the handset's place: its port and how long it rests.
pub(crate) fn write(lab: &Lab, pnp: bool, power: &str, place: &str) -> PathBuf {
    let secret = lab.space.path().join("community");
    fs::write(&secret, WRITER).expect("writable");
    let text = format!(
        "name = \"stand-in\"\nnetworks = [\"192.0.2.0/24\"]\n\
         [subject]\ninterface = \"eth0\"\naddress = \"{SERVER}\"\n\
         [power.switch]\ndriver = \"snmp\"\nagent = \"{SWITCH}\"\nversion = \"2c\"\n\
         timeout_s = 1\nsettle_s = 3\ncommunity = {{ file = \"{}\" }}\n{power}\n\
         [[place]]\nname = \"table\"\nmac = \"{MAC}\"\nprofile = \"stand-in/handset\"\n\
         suite = \"flyingvoice\"\npower = \"switch\"\naddress = \"192.0.2.50\"\noff_s = 0.3\n\
         link_s = 10\nforgets = true\n{place}\n\
         [place.content.fleet]\nsource = \"dhcp\"\ntransport = \"tftp\"\nlayout = \"flat\"\n\
         web.pnp_enable = \"{}\"\ncommon.\"local_time.time_zone\" = \"+1\"\n",
        secret.display(),
        u8::from(pnp)
    );
    let file = lab.space.path().join("lab.toml");
    fs::write(&file, text).expect("writable");
    file
}
