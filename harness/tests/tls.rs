//! Whom phones trust, and who trusts phones: certificates that are expired, foreign or for another
//! name, phones without a factory certificate, and vendors that look at nothing.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm::drive::tls::Trust;
use bootstorm::provision::{self, LOOPBACK_POOL};
use bootstorm::reference::adapter::{Adapter, Bind};
use bootstorm::reference::certificate::{Authority, ServerTls};
use bootstorm::reference::{Counter, Reference};
use bootstorm::run::{self, Ended, Orders};
use bootstorm::subject::Subject;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};

const PHONES: u32 = 4;
/// A model whose vendor is known for not looking at certificates.
const CARELESS: (&str, &str) = (
    "test/careless.toml",
    "inherits = \"flyingvoice/fip13g\"\nsummary = \"A test's\"\n\
     [http]\nverify_certificate = false\n",
);

/// A run over HTTPS, before it is begun.
struct World {
    plan: Arc<Plan>,
    authority: Authority,
    factory: Authority,
}

/// How it ended, and what the server counted.
struct Boot {
    ended: Ended,
    none: u64,
    refused: u64,
}

impl World {
    /// Phones of a profile; `demand` is what the server wants, `own` what phones have.
    fn new(profile: &str, demand: &str, own: &str) -> Self {
        let text = format!(
            "name = \"tls\"\ntime_scale = 0.01\ndeadline_s = 20\n\
             [tls]\nclient_certificate = \"{demand}\"\n\
             [[fleet]]\nname = \"secure\"\nphones = {PHONES}\nsource = \"dhcp\"\n\
             transport = \"https\"\nlayout = \"own-name\"\n{own}\n\
             [fleet.profiles]\n\"{profile}\" = 1\n\
             [fleet.web]\npnp_enable = \"0\"\n\
             [fleet.own]\n\"account.1.user_name\" = \"u{{index}}\"\n"
        );
        let scenario = scenario::read("tls.toml", &text).expect("sound");
        let careless = (CARELESS.0.to_owned(), CARELESS.1.to_owned());
        let set = ProfileSet::with_directory([careless]).expect("sound");
        let plan = Plan::new(scenario, &set, Ipv4Addr::LOCALHOST).expect("a plan");
        Self {
            plan: Arc::new(plan),
            authority: Authority::new().expect("an authority"),
            factory: Authority::factory().expect("a factory"),
        }
    }

    /// Boots against the server that the plan asks for.
    fn boot(self) -> Boot {
        let tls = provision::server_tls(&self.plan, &self.authority, &self.factory);
        self.boot_against(tls.expect("a certificate"))
    }

    fn boot_against(self, tls: ServerTls) -> Boot {
        let source = provision::tree(&self.plan).expect("content");
        let config = provision::reference(&self.plan, source, LOOPBACK_POOL);
        let bind = Bind {
            dhcp_port: Some(0),
            https: Some((0, tls)),
            ..Bind::loopback()
        };
        let server = Adapter::start(Reference::new(config), &bind).expect("a server");
        let subject = Subject {
            dhcp: server.endpoints().dhcp,
            https: server.endpoints().https,
            ..Subject::at(Ipv4Addr::LOCALHOST)
        };
        let trust = Trust::new(self.authority.pem().as_bytes(), self.factory).expect("PEM");
        let orders = Orders {
            shards: 1,
            transcript: true,
            ..Orders::default()
        };
        let ended = run::loopback(&self.plan, &subject, &Arc::new(trust), &orders);
        let ended = ended.expect("a run");
        let counters = Arc::clone(server.counters());
        server.stop().expect("a sound server");
        Boot {
            ended,
            none: counters.value(Counter::HttpsNoClientCertificate),
            refused: counters.value(Counter::HttpsClientCertificateRefused),
        }
    }
}

impl Boot {
    #[track_caller]
    fn everybody(&self, outcome: Outcome) {
        let counts = self.ended.report.counts();
        let log = String::from_utf8_lossy(&self.ended.transcript);
        assert_eq!(counts.of(outcome), PHONES, "{log}");
    }

    /// Every phone failed of TLS, says so in the log and in its result, and the report says why.
    #[track_caller]
    fn nobody(&self, why: &str) {
        let report = &self.ended.report;
        assert_eq!(report.counts().of(Outcome::Provisioned), 0);
        assert_eq!(report.phones().len(), PHONES as usize);
        for phone in report.phones() {
            let wrong = phone.first_wrong.as_ref().expect("a wrong step");
            assert!(wrong.text.contains("TLS failed"), "{wrong:?}");
        }
        let log = String::from_utf8_lossy(&self.ended.transcript);
        assert!(log.contains("TLS failed"), "{log}");
        let notes = &report.facts().notes;
        let named = notes.iter().filter(|note| note.contains(why)).count();
        assert_eq!(named, 1, "{why}: {notes:?}");
    }
}

/// A server certificate that the authority of the returned world has not made.
fn foreign() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

#[test]
fn phones_that_verify_are_provisioned_over_https() {
    // GIG-16, AUE-24
    let boot = World::new("flyingvoice/fip13g", "none", "").boot();
    boot.everybody(Outcome::Provisioned);
    let notes = &boot.ended.report.facts().notes;
    assert!(!notes.iter().any(|note| note.contains("TLS")), "{notes:?}");
}

#[test]
fn an_expired_certificate_fails_its_phones_and_the_report_says_so() {
    let world = World::new("flyingvoice/fip13g", "none", "");
    let names = ["127.0.0.1".to_owned()];
    let tls = world
        .authority
        .server_valid(&names, (2020, 1, 1), (2021, 1, 1));
    let boot = world.boot_against(tls.expect("a certificate"));
    boot.nobody("the server's certificate has expired");
    let world = World::new("flyingvoice/fip13g", "none", "");
    let tls = world
        .authority
        .server_valid(&names, (4000, 1, 1), (4001, 1, 1));
    let boot = world.boot_against(tls.expect("a certificate"));
    boot.nobody("the server's certificate is not valid yet");
}

#[test]
fn a_certificate_by_a_foreign_authority_fails_its_phones() {
    let world = World::new("flyingvoice/fip13g", "none", "");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
    let certificate = params.signed_by(&key, &foreign()).expect("signed");
    let tls = ServerTls::from_pem(&certificate.pem(), &key.serialize_pem());
    let boot = world.boot_against(tls.expect("a pair"));
    boot.nobody("by an authority that the phones do not trust");
}

#[test]
fn a_certificate_for_another_name_fails_its_phones() {
    let world = World::new("flyingvoice/fip13g", "none", "");
    let tls = world.authority.server(&["prv.example".to_owned()]);
    let boot = world.boot_against(tls.expect("a certificate"));
    boot.nobody("the server's certificate is for another name");
}

#[test]
fn phones_that_do_not_verify_take_any_certificate_and_the_report_says_so() {
    let world = World::new("test/careless", "none", "");
    let tls = foreign_server();
    let boot = world.boot_against(tls);
    boot.everybody(Outcome::Provisioned);
    let report = &boot.ended.report;
    let said = "test/careless does not verify the server's certificate";
    let mut text = Vec::new();
    let style = bootstorm_reports::text::Style::default();
    bootstorm_reports::text::write(report, style, &mut text).expect("text");
    let text = String::from_utf8_lossy(&text).replace("\n", " ");
    assert!(text.contains(said), "{text}");
    let mut json = Vec::new();
    bootstorm_reports::json::write(report, &mut json).expect("JSON");
    let json = String::from_utf8_lossy(&json);
    assert!(json.contains(said), "{json}");
}

fn foreign_server() -> ServerTls {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["elsewhere.example".to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let certificate = params.signed_by(&key, &foreign()).expect("signed");
    ServerTls::from_pem(&certificate.pem(), &key.serialize_pem()).expect("a pair")
}

#[test]
fn a_server_that_requires_client_certificates_serves_phones_of_its_factory() {
    let own = "client_certificate = \"{mac:upper}\"";
    let boot = World::new("flyingvoice/fip13g", "require", own).boot();
    boot.everybody(Outcome::Provisioned);
    assert_eq!((boot.none, boot.refused), (0, 0));
}

#[test]
fn a_server_that_requires_client_certificates_refuses_phones_without() {
    let boot = World::new("flyingvoice/fip13g", "require", "").boot();
    boot.nobody("wants a client certificate and the phone has none");
    assert!(boot.none >= u64::from(PHONES), "{}", boot.none);
    assert_eq!(boot.refused, 0);
}

#[test]
fn a_server_that_requests_client_certificates_serves_phones_without() {
    let boot = World::new("flyingvoice/fip13g", "request", "").boot();
    boot.everybody(Outcome::Provisioned);
}

#[test]
fn phones_of_another_factory_are_refused_even_where_none_is_required() {
    for demand in ["request", "require"] {
        let own = "client_certificate = \"{mac:upper}\"";
        let world = World::new("flyingvoice/fip13g", demand, own);
        let other = Authority::factory().expect("a factory");
        let tls = provision::server_tls(&world.plan, &world.authority, &other);
        let boot = world.boot_against(tls.expect("a certificate"));
        boot.nobody("the server refused the phone's client certificate");
        assert!(boot.refused >= u64::from(PHONES), "{}", boot.refused);
        assert_eq!(boot.none, 0);
    }
}
