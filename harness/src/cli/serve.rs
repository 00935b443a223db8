//! `bootstorm serve`

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::live::catch_interrupt;
use super::{Exit, ServeArguments, Shared, TftpServer, Trouble, load, print};
use crate::provision::{self, LOOPBACK_POOL, Pool};
use crate::reference::adapter::{Adapter, Bind, Endpoints};
use crate::reference::certificate::Authority;
use crate::reference::content::Source;
use crate::reference::independent::Independent;
use crate::reference::{Counters, Reference};

/// How often the server looks whether it is to end.
const NAP: Duration = Duration::from_millis(100);

/// Serves until Ctrl-C.
pub(super) fn serve(shared: &Shared, arguments: &ServeArguments) -> Result<Exit, Trouble> {
    let stop = Arc::new(AtomicBool::new(false));
    catch_interrupt(Arc::clone(&stop), "ending (Ctrl-C again ends at once)")?;
    let mutants = arguments.mutants.read()?;
    let profiles = load::profiles(shared)?;
    let mut scenario = load::scenario(shared, &arguments.scenario)?;
    if let Some(phones) = arguments.phones {
        scenario.resize(phones);
    }
    let pool = pool(arguments)?;
    let plan = load::plan(scenario, &profiles, arguments.address)?;
    let source = match &arguments.content {
        Some(path) => directory(path)?,
        None => provision::tree(&plan).map_err(Trouble::usage)?,
    };
    let authority = Authority::new().map_err(Trouble::own)?;
    if let Some(path) = &arguments.ca_out {
        let failed = |fault| Trouble::own(format!("failed to write {}: {fault}", path.display()));
        fs::write(path, authority.pem()).map_err(failed)?;
    }
    let factory = provision::factory(arguments.factory_ca.as_deref()).map_err(Trouble::own)?;
    let tls = provision::server_tls(&plan, &authority, &factory).map_err(Trouble::own)?;
    let independent = match arguments.tftp_server {
        TftpServer::Own => None,
        TftpServer::AsyncTftp => {
            let at = std::net::SocketAddrV4::new(arguments.address, arguments.tftp_port);
            Some(Independent::start(source.clone().edited(&mutants), at).map_err(Trouble::own)?)
        }
    };
    let mut config = provision::reference(&plan, source, pool);
    config.mutants = mutants;
    let bind = Bind {
        address: arguments.address,
        beyond_loopback: arguments.beyond_loopback,
        dhcp_interface: arguments.dhcp_interface.clone(),
        dhcp_port: Some(arguments.dhcp_port),
        tftp_port: independent.is_none().then_some(arguments.tftp_port),
        ftp_port: Some(arguments.ftp_port),
        http_port: Some(arguments.http_port),
        https: Some((arguments.https_port, tls)),
        sip_port: Some(arguments.sip_port),
        sip_tcp_port: Some(arguments.sip_port),
        sip_group: Some(arguments.address),
        pnp_port: Some(0),
        ntp_port: Some(arguments.ntp_port),
        mdns_port: config.mdns.is_some().then_some(arguments.mdns_port),
        ..Bind::loopback()
    };
    let running = Adapter::start(Reference::new(config), &bind).map_err(Trouble::own)?;
    if !shared.quiet {
        let mut endpoints = *running.endpoints();
        endpoints.tftp = independent
            .as_ref()
            .map(Independent::address)
            .or(endpoints.tftp);
        print(&told(&endpoints, &plan.scenario.name, plan.phones()));
    }
    while !stop.load(Ordering::Relaxed) && running.is_alive() {
        std::thread::sleep(NAP);
    }
    let counted = counted(running.counters());
    if running.stop().is_err() {
        return Err(Trouble::own("the server's thread died"));
    }
    if !shared.quiet {
        print(&counted);
    }
    Ok(Exit::Met)
}

/// What a server counted, one line each.
fn counted(counters: &Counters) -> String {
    let lines = counters.entries();
    let lines = lines.map(|(name, count)| format!("  {name:<28}{count}\n"));
    lines.collect()
}

/// Files of the user's.
pub(super) fn directory(path: &Path) -> Result<Source, Trouble> {
    Source::directory(path)
        .map_err(|fault| Trouble::usage(format!("failed to read {}: {fault}", path.display())))
}

fn told(endpoints: &Endpoints, scenario: &str, phones: u32) -> String {
    let all = [
        ("dhcp", endpoints.dhcp),
        ("tftp", endpoints.tftp),
        ("ftp", endpoints.ftp),
        ("http", endpoints.http),
        ("https", endpoints.https),
        ("sip", endpoints.sip),
        ("sip tcp", endpoints.sip_tcp),
        ("pnp answers", endpoints.pnp),
        ("ntp", endpoints.ntp),
        ("mdns", endpoints.mdns),
    ];
    let lines = all
        .into_iter()
        .filter_map(|(name, at)| Some(format!("  {name:<12}{}\n", at?)));
    let lines: String = lines.collect();
    format!("serving {scenario} ({phones} phones); Ctrl-C ends it\n{lines}")
}

/// The addresses to lease: those of loopback, or what the user gave for another network.
fn pool(arguments: &ServeArguments) -> Result<Pool, Trouble> {
    match &arguments.dhcp_pool {
        Some(text) => read_pool(text).ok_or_else(|| {
            Trouble::usage(format!(
                "--dhcp-pool {text}: expected FIRST-LAST/MASK, for example 10.0.0.50-10.0.0.99/24"
            ))
        }),
        None if arguments.dhcp_interface.is_some() => Err(Trouble::usage(
            "--dhcp-interface needs --dhcp-pool: which addresses may be leased there",
        )),
        None => Ok(LOOPBACK_POOL),
    }
}

fn read_pool(text: &str) -> Option<Pool> {
    let (range, bits) = text.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (Ipv4Addr, Ipv4Addr) = (first.parse().ok()?, last.parse().ok()?);
    let bits: u32 = bits.parse().ok().filter(|bits| (1..=30).contains(bits))?;
    let mask = u32::MAX << (32 - bits);
    let one_network = u32::from(first) & mask == u32::from(last) & mask;
    (first <= last && one_network).then(|| Pool {
        first,
        last,
        mask: Ipv4Addr::from(mask),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_pool_and_refuses_what_is_none() {
        let pool = read_pool("10.0.0.50-10.0.0.99/24").expect("a pool");
        assert_eq!(pool.mask, Ipv4Addr::new(255, 255, 255, 0));
        assert_eq!(pool.last, Ipv4Addr::new(10, 0, 0, 99));
        for text in [
            "",
            "10.0.0.50",
            "10.0.0.50-10.0.0.40/24",
            "10.0.0.5-10.0.1.5/24",
            "10.0.0.5-10.0.0.9/0",
            "10.0.0.5-10.0.0.9/33",
        ] {
            assert!(read_pool(text).is_none(), "{text}");
        }
    }
}
