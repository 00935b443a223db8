//! The reference server set up for a plan: which phones hear of which URL, and by which way.

mod accounts;
mod acs;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::profile::SourceKind;
use bootstorm_emulator::wire::port;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::scenario::{AuthScheme, Discovery, Fleet, Transport};
use rustc_hash::FxHashMap;

use crate::content::{self, ContentFault, Files};
use crate::reference::ReferenceConfig;
use crate::reference::certificate::{Authority, CertificateFault, ServerTls};
use crate::reference::content::{Source, Tree};
use crate::reference::dhcp::{DhcpConfig, Match, OptionValue, Rule};
use crate::reference::ftp::{Area, FtpConfig};
use crate::reference::http::{Realm, RedirectService, Scheme};
use crate::reference::mdns::MdnsConfig;
use crate::reference::pnp::{Manner, Phones, PnpConfig, PnpRule, PnpUrl};
use crate::reference::registrar::RegistrarConfig;

/// How long the HTTP server takes a nonce.
const NONCE_LIFETIME: Duration = Duration::from_secs(60);

/// Addresses that the reference server leases.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// The first.
    pub first: Ipv4Addr,
    /// The last.
    pub last: Ipv4Addr,
    /// Their network mask.
    pub mask: Ipv4Addr,
}

/// Addresses on loopback: 127.32.0.1 to 127.127.255.254, more than six million.
pub const LOOPBACK_POOL: Pool = Pool {
    first: Ipv4Addr::new(127, 32, 0, 1),
    last: Ipv4Addr::new(127, 127, 255, 254),
    mask: Ipv4Addr::new(255, 0, 0, 0),
};

/// Addresses of the simulated network.
pub const SIMULATED_POOL: Pool = Pool {
    first: Ipv4Addr::new(10, 1, 0, 1),
    last: Ipv4Addr::new(10, 255, 255, 254),
    mask: Ipv4Addr::new(255, 0, 0, 0),
};

/// The server's address on the simulated network.
pub const SIMULATED_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// The generated files of a plan, ready to be served; those of its later changes come in their
/// place when the plan reaches them.
///
/// # Errors
/// As `content::generate`.
pub fn tree(plan: &Plan) -> Result<Source, ContentFault> {
    let first = served(content::generate(plan)?);
    let later = (1..=plan.changes()).filter_map(|change| plan.after(change));
    let later: Result<_, _> = later
        .map(|plan| content::generate(plan).map(served))
        .collect();
    Ok(first.then(later?, plan.stage()))
}

/// Files, ready to be served.
#[must_use]
pub fn served(files: Files) -> Source {
    Source::tree(planted(files))
}

fn planted(files: Files) -> Tree {
    let mut tree = Tree::default();
    for (path, bytes) in files {
        // The generator's paths have no `..`; the plan's roots were checked when they were read.
        let planted = tree.insert(path, bytes);
        debug_assert!(planted.is_ok());
    }
    tree
}

/// What the HTTPS server of a plan shows and asks for: a certificate for the address and every
/// host name of the run.
///
/// # Errors
/// `Make` for a host name that cannot be in a certificate.
pub fn server_tls(
    plan: &Plan,
    authority: &Authority,
    factory: &Authority,
) -> Result<ServerTls, CertificateFault> {
    let mut names = vec![plan.server.to_string()];
    names.extend(plan.hosts().into_keys());
    let tls = authority.server(&names)?;
    tls.wanting(plan.scenario.client_certificate, factory)
}

/// The factory authority of a run: the one kept in a directory, or a new one.
///
/// # Errors
/// As `Authority::kept_in` and `Authority::factory`.
pub fn factory(directory: Option<&Path>) -> Result<Authority, CertificateFault> {
    directory.map_or_else(Authority::factory, Authority::kept_in)
}

/// A reference server for a plan.
#[must_use]
pub fn reference(plan: &Arc<Plan>, source: Source, pool: Pool) -> ReferenceConfig {
    let mut dhcp = DhcpConfig::new(plan.server, pool.first, pool.last, pool.mask);
    dhcp.rules = dhcp_rules(plan);
    let mut pnp = PnpConfig::new(SocketAddrV4::new(plan.server, 0));
    pnp.seed = plan.scenario.seed;
    pnp.manner = Manner::of(&plan.scenario.pnp);
    let urls = Arc::clone(plan);
    pnp.rules.push(PnpRule {
        when: Phones::Any,
        url: PnpUrl::Made(Arc::new(move |mac| {
            let phone = urls.phone_with(mac)?;
            let source = urls.fleet(&phone)?.source;
            let wanted = matches!(source, Discovery::Pnp | Discovery::PnpTcp);
            if wanted { urls.pnp_url(&phone) } else { None }
        })),
    });
    let acs = acs::of(plan, &source);
    let mut config = ReferenceConfig::files(source);
    config.acs = acs;
    config.dhcp = Some(dhcp);
    config.pnp = Some(pnp);
    config.sntp.silent = plan.scenario.time.silent;
    config.sntp.unsynchronised = plan.scenario.time.unsynchronised;
    config.sip = SocketAddrV4::new(plan.server, port::SIP);
    config.seed = plan.scenario.seed;
    config.ftp = ftp(plan);
    config.http.seed = plan.scenario.seed;
    config.http.realms = realms(plan);
    config.http.service = redirect_service(plan);
    config.mdns = mdns(plan);
    let mut registrar = RegistrarConfig::new(accounts::of(plan));
    registrar.seed = plan.scenario.seed;
    config.registrar = Some(registrar);
    config
}

/// Multicast DNS, where a fleet asks that way: for the services of its phones' profiles. A phone
/// whose address this server did not lease is told what the first such phone is.
fn mdns(plan: &Arc<Plan>) -> Option<MdnsConfig> {
    let fleets = plan.scenario.fleets.iter().enumerate();
    let mut asking = fleets.filter(|(_, fleet)| fleet.source == Discovery::Mdns);
    let (first, _) = asking.next()?;
    let first = plan.fleet_range(first).start;
    let specs = plan.profiles.iter().filter_map(|it| it.mdns.as_ref());
    let mut services: Vec<_> = specs.map(|spec| spec.service.clone()).collect();
    services.sort_unstable();
    services.dedup();
    let known = Arc::clone(plan);
    Some(MdnsConfig {
        services,
        address: plan.server,
        url: Arc::new(move |mac| {
            let phone = match mac {
                Some(mac) => known.phone_with(mac)?,
                None => known.phone(first)?,
            };
            let asks = known.fleet(&phone)?.source == Discovery::Mdns;
            asks.then(|| known.found_text(&phone))
        }),
    })
}

/// What the DHCP server tells each phone that is to learn its URL by DHCP.
fn dhcp_rules(plan: &Plan) -> Vec<Rule> {
    // Sent to those who ask.
    let mut rules = vec![Rule {
        when: Match::Any,
        options: vec![OptionValue::addresses(42, &[plan.server])],
    }];
    for (place, fleet) in plan.scenario.fleets.iter().enumerate() {
        for phone in plan
            .fleet_range(place)
            .filter_map(|index| plan.phone(index))
        {
            let options = dhcp_options(plan, fleet, &phone);
            if !options.is_empty() {
                rules.push(Rule {
                    when: Match::Mac(phone.identity.mac),
                    options,
                });
            }
        }
    }
    rules
}

fn dhcp_options(plan: &Plan, fleet: &Fleet, phone: &PhonePlan) -> Vec<OptionValue> {
    let text = || plan.found_text(phone);
    let (base, file) = plan.found_parts(phone);
    let named = !file.is_empty();
    match fleet.source {
        Discovery::Dhcp => vec![OptionValue::text(plain_option(plan, phone), &text())],
        Discovery::Dhcp114 => vec![OptionValue::text(114, &text())],
        Discovery::Dhcp43 => {
            // Each sub-option's length counts a NUL at the end of its text (AUE-32).
            let mut data = sub_option(66, &base);
            if named {
                data.extend(sub_option(67, &file));
            }
            vec![OptionValue::bytes(43, &data)]
        }
        Discovery::Dhcp66And67 => {
            let mut options = vec![OptionValue::text(66, &base)];
            options.extend(named.then(|| OptionValue::text(67, &file)));
            options
        }
        Discovery::Dhcp66AndFile => {
            let mut options = vec![OptionValue::text(66, &base)];
            options.extend(named.then(|| OptionValue::boot_file(&file)));
            options
        }
        // FAN-71, FAN-73: as plain text, without sub-options.
        Discovery::Dhcp43Plain => vec![OptionValue::text(43, &text())],
        Discovery::DhcpCustom => vec![OptionValue::text(fleet.option, &text())],
        Discovery::Redirect
        | Discovery::Pnp
        | Discovery::PnpTcp
        | Discovery::Mdns
        | Discovery::Acs
        | Discovery::Static
        | Discovery::Fixed => Vec::new(),
    }
}

/// The option that a phone reads the URL from: its profile's first that is not 114.
fn plain_option(plan: &Plan, phone: &PhonePlan) -> u8 {
    let sources = plan
        .profile(phone)
        .map_or(&[][..], |profile| profile.sources.as_slice());
    let option = sources.iter().find_map(|source| match source.kind {
        SourceKind::Dhcp { option, .. } if option != 114 => Some(option),
        _ => None,
    });
    option.unwrap_or(66)
}

/// A sub-option of option 43: code, length, text, NUL. A text over 254 bytes is cut.
fn sub_option(code: u8, text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let text = text.get(..254).unwrap_or(text);
    let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
    [&[code, length], text, &[0]].concat()
}

/// The parts of the tree that ask for credentials, one for each fleet that has them.
fn realms(plan: &Plan) -> Vec<Realm> {
    let mut realms = Vec::new();
    for (place, fleet) in plan.scenario.fleets.iter().enumerate() {
        let scheme = match fleet.auth.as_ref().map(|auth| auth.scheme) {
            Some(AuthScheme::Basic) => Scheme::Basic,
            Some(AuthScheme::Digest) => Scheme::DigestMd5,
            Some(AuthScheme::DigestSha256) => Scheme::DigestSha256,
            Some(AuthScheme::Login) | None => continue,
        };
        realms.push(Realm {
            path: closed_path(fleet),
            name: fleet
                .name
                .replace(['"', '\\'], "")
                .replace(char::is_control, ""),
            schemes: vec![scheme],
            nonce_lifetime: NONCE_LIFETIME,
            users: users(plan, place),
        });
    }
    realms
}

/// The FTP server of a plan: anybody may log in where at least one fleet needs no login.
fn ftp(plan: &Plan) -> FtpConfig {
    let fleets = plan.scenario.fleets.iter().enumerate();
    let of_login = |fleet: &Fleet| {
        let auth = fleet.auth.as_ref();
        auth.is_some_and(|auth| auth.scheme == AuthScheme::Login)
    };
    let areas: Vec<_> = fleets
        .filter(|(_, fleet)| of_login(fleet))
        .map(|(place, fleet)| Area {
            path: closed_path(fleet),
            users: users(plan, place),
        })
        .collect();
    let open = |fleet: &Fleet| fleet.uses(Transport::Ftp) && !of_login(fleet);
    FtpConfig {
        closed: !areas.is_empty() && !plan.scenario.fleets.iter().any(open),
        areas,
        ..FtpConfig::default()
    }
}

/// Where a fleet's files are, with slashes at both ends.
fn closed_path(fleet: &Fleet) -> String {
    match fleet.root.as_str() {
        "" => "/".to_owned(),
        root => format!("/{root}/"),
    }
}

/// The passwords of the SIP accounts that a plan intends a phone to have.
#[must_use]
pub fn passwords(plan: &Plan, phone: &PhonePlan) -> Vec<String> {
    accounts::passwords(plan, phone)
}

/// The passwords of a fleet's phones by user name.
fn users(plan: &Plan, fleet: usize) -> FxHashMap<String, String> {
    let phones = plan.fleet_range(fleet);
    let logins = phones.filter_map(|index| plan.login(&plan.phone(index)?));
    logins.map(|login| (login.user, login.password)).collect()
}

/// The redirect services of the vendors whose phones use them.
fn redirect_service(plan: &Arc<Plan>) -> Option<RedirectService> {
    let hosts = plan.redirect_hosts();
    let known = Arc::clone(plan);
    (!hosts.is_empty()).then(|| RedirectService {
        hosts,
        answer: plan.scenario.redirect,
        schemes: vec![Scheme::DigestMd5],
        registry: Arc::new(move |mac| known.redirected(mac)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // AUE-31 … AUE-33: the sample of the explanation, byte for byte.
    #[test]
    fn writes_the_sub_options_of_the_sample() {
        let data = [sub_option(66, "http://foo"), sub_option(67, "<HWTYP>.bak")].concat();
        assert_eq!(data, b"\x42\x0bhttp://foo\0\x43\x0c<HWTYP>.bak\0");
        assert_eq!(data.len(), 27);
        assert_eq!(sub_option(66, &"x".repeat(300)).len(), 257);
    }
}
