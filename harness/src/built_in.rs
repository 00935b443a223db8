//! The reference server on free ports of the loopback network, for as long as a run lasts.

use std::net::SocketAddrV4;
use std::sync::Arc;

use bootstorm_scenarios::plan::{ACS_PATH, Plan};

use crate::provision;
use crate::reference::adapter::{Adapter, AdapterError, Bind, Courier, Running};
use crate::reference::certificate::{Authority, CertificateFault};
use crate::reference::{Counters, Reference, ReferenceConfig};
use crate::subject::{REDIRECT_ADDRESS, Subject};

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct BuiltIn {
    running: Running,
    /// Every endpoint of it.
    pub subject: Subject,
    /// The authority that signed its certificate, as PEM.
    pub authority_pem: String,
}

/// Why it does not run; never the subject's fault.
#[derive(Debug, thiserror::Error)]
pub enum BuiltInFault {
    /// Its certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    /// A port could not be had.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// Its thread died.
    #[error("the built-in server's thread died during the run")]
    Died,
}

impl BuiltIn {
    /// Starts the server of a plan, at the plan's address. Phones of `factory` are known to it.
    ///
    /// # Errors
    /// `BuiltInFault::Certificate` and `BuiltInFault::Adapter`.
    pub fn start(
        plan: &Arc<Plan>,
        config: ReferenceConfig,
        factory: &Authority,
    ) -> Result<Self, BuiltInFault> {
        let authority = Authority::new()?;
        let tls = provision::server_tls(plan, &authority, factory)?;
        let bind = Bind {
            dhcp_port: Some(0),
            tftp_port: Some(0),
            ftp_port: Some(0),
            http_port: Some(0),
            https: Some((0, tls)),
            sip_port: Some(0),
            sip_tcp_port: Some(0),
            sip_group: Some(plan.server),
            pnp_port: Some(0),
            ntp_port: Some(0),
            mdns_port: Some(0),
            ..Bind::loopback()
        };
        let running = Adapter::start(Reference::new(config), &bind)?;
        let endpoints = *running.endpoints();
        let subject = Subject {
            dhcp: endpoints.dhcp,
            tftp: endpoints.tftp,
            ftp: endpoints.ftp,
            http: endpoints.http,
            https: endpoints.https,
            sip_tcp: endpoints.sip_tcp,
            sip_port: endpoints.sip.map(|sip| sip.port()),
            ntp: endpoints.ntp,
            mdns_port: endpoints.mdns.map(|mdns| mdns.port()),
            ..Subject::at(plan.server)
        };
        Ok(Self {
            running,
            subject,
            authority_pem: authority.pem(),
        })
    }

    /// Where its HTTP server is.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddrV4> {
        self.running.endpoints().http
    }

    /// Takes orders to it.
    #[must_use]
    pub fn courier(&self) -> Courier {
        self.running.courier()
    }

    /// What it was asked and what it answered.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        self.running.counters()
    }

    /// Stops it.
    ///
    /// # Errors
    /// `BuiltInFault::Died`.
    pub fn stop(self) -> Result<(), BuiltInFault> {
        self.running.stop().map_err(|_| BuiltInFault::Died)
    }
}

/// The plan with what is not at the subject's own address: the redirect service, where the user
/// named one; the auto-configuration server, which is the one given, or, where the HTTP server is
/// the user's, the built-in one, which is no path of it.
#[must_use]
pub fn with_elsewhere(
    plan: &Arc<Plan>,
    given: Option<String>,
    subject: &Subject,
    built_in: Option<SocketAddrV4>,
) -> Arc<Plan> {
    let own = built_in.filter(|_| subject.given.http);
    let elsewhere = given.or(own.map(|at| format!("http://{at}{ACS_PATH}")));
    let plan = match elsewhere.filter(|_| plan.has_acs()) {
        Some(url) => Arc::new(Plan::clone(plan).with_acs_at(&url)),
        None => Arc::clone(plan),
    };
    match subject.given.redirect {
        true => Arc::new(Plan::clone(&plan).with_redirect_at(REDIRECT_ADDRESS)),
        false => plan,
    }
}
