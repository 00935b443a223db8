//! pure-ftpd.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use bootstorm_reports::run::Outcome;

use crate::program::run;
use crate::servers::{FTP_LOGIN, Server, free_tcp_port, pure_ftpd};
use crate::{World, unlucky};

const PHONES: u32 = 12;

/// Phones that find the login in their URL.
fn scenario(world: &World, active: bool) -> String {
    let active = u8::from(active);
    let (user, password) = FTP_LOGIN;
    let text = format!(
        "name = \"ftp\"\ntime_scale = 0.01\ndeadline_s = 60\n\
         [[fleet]]\nname = \"ftp\"\nphones = {PHONES}\nsource = \"dhcp\"\n\
         transport = \"ftp\"\nlayout = \"boot\"\nroot = \"site\"\nauth = \"login\"\n\
         credentials = \"url\"\nuser = \"{user}\"\npassword = \"{password}\"\n\
         [fleet.profiles]\n\"flyingvoice/fip16\" = 1\n\"flyingvoice/fip10\" = 1\n\
         [fleet.web]\npnp_enable = \"0\"\nerror_retry_s = \"0\"\nftp_active = \"{active}\"\n\
         [fleet.own]\n\"account.1.user_name\" = \"u{{index}}\"\n"
    );
    let file = world.path().join("ftp.toml");
    fs::write(&file, text).expect("writable");
    file.display().to_string()
}

/// A server of the files that the phones want, who may be read by anybody.
fn serving(world: &World) -> Option<Server> {
    let scenario = scenario(world, false);
    let content = world.content().display().to_string();
    let arguments = ["content", &scenario, "--out", &content];
    let server = ["--server", "127.0.0.1"];
    run(world.path(), &[&arguments[..], &server].concat()).expect(0);
    fs::set_permissions(world.path(), Permissions::from_mode(0o755)).expect("ours");
    pure_ftpd(&world.content(), &world.path().join("pure-ftpd"))
}

// FLY-01, FLY-84, FAN-05: a server that is not ours, its data connections both ways.
#[test]
fn pure_ftpd_provisions_in_both_modes() {
    let world = World::empty();
    let Some(server) = serving(&world) else {
        return;
    };
    let subject = format!("ftp://127.0.0.1:{}", server.port);
    for active in [false, true] {
        let scenario = scenario(&world, active);
        let (finished, report) = world.boot_own(&scenario, &["--subject", &subject]);
        let finished = finished.expect(0);
        assert_eq!(report.counts().of(Outcome::Provisioned), PHONES);
        assert!(finished.err.is_empty() || !finished.err.contains("hush"));
    }

    // A file that is gone fails its phone and no other.
    let gone = world.content().join("site/0021f2000003.cfg");
    fs::remove_file(gone).expect("a phone's own file");
    let scenario = scenario(&world, false);
    let (finished, report) = world.boot_own(&scenario, &["--subject", &subject]);
    finished.expect(1);
    assert_eq!(unlucky(&report), ["0021f2000003"]);
    server.end();
}

#[test]
fn ftp_server_that_refuses_the_login_fails_its_phones() {
    let world = World::empty();
    let Some(server) = serving(&world) else {
        return;
    };
    let wrong = scenario(&world, false);
    let text = fs::read_to_string(&wrong).expect("just written");
    fs::write(&wrong, text.replace("\"hush\"", "\"other\"")).expect("writable");
    let subject = format!("ftp://127.0.0.1:{}", server.port);
    let (finished, report) = world.boot_own(&wrong, &["--subject", &subject]);
    finished.expect(1);
    assert!(!report.phones().is_empty());
    assert_eq!(report.counts().of(Outcome::Provisioned), 0);
    for phone in report.phones() {
        let wrong = phone.first_wrong.as_ref().expect("a wrong step");
        assert!(wrong.text.contains("credentials refused"), "{wrong:?}");
    }
    server.end();
}

#[test]
fn ftp_server_that_is_down_is_told_before_a_phone_is_booted() {
    let world = World::empty();
    let scenario = scenario(&world, false);
    let down = format!("ftp://127.0.0.1:{}", free_tcp_port());
    let (finished, report) = world.boot_own(&scenario, &["--subject", &down]);
    let finished = finished.expect(3);
    assert!(report.phones().is_empty());
    assert!(
        finished.out.contains("connection refused"),
        "{}",
        finished.out
    );
}
