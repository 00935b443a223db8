//! What phones bring to a TLS handshake: whom they trust, and the factory certificate that some of
//! them have; and why handshakes failed. No phone ever resumes another's session.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, RootCertStore,
    SupportedProtocolVersion,
};

use bootstorm_scenarios::suite::probe::TlsVersion;

use crate::reference::certificate::{Authority, CertificateFault};

/// What phones offer.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// How the phones of a run do TLS; shared by its shards.
#[derive(Debug)]
pub struct Trust {
    verifying: Arc<ClientConfig>,
    trusting: Arc<ClientConfig>,
    /// What `verifying` trusts, for clients that offer one version only.
    trusted_pem: Vec<u8>,
    factory: Authority,
    /// Factory certificates made so far, by common name: a phone shows the same one each time.
    made: Mutex<FxHashMap<String, Arc<CertifiedKey>>>,
    failed: Mutex<BTreeMap<&'static str, u64>>,
}

impl Trust {
    /// Phones that trust these PEM certificates and come from this factory. Vendors whose phones do
    /// not verify trust any certificate.
    ///
    /// # Errors
    /// A PEM text without a certificate that can be read.
    pub fn new(trusted_pem: &[u8], factory: Authority) -> io::Result<Self> {
        Ok(Self {
            verifying: client(Some(trusted_pem), &VERSIONS)?,
            trusting: client(None, &VERSIONS)?,
            trusted_pem: trusted_pem.to_vec(),
            factory,
            made: Mutex::default(),
            failed: Mutex::default(),
        })
    }

    /// Phones that trust nobody, for runs without TLS.
    ///
    /// # Errors
    /// When the operating system gives no randomness for the factory's key.
    pub fn nobody() -> io::Result<Arc<Self>> {
        let factory = Authority::factory().map_err(io::Error::other)?;
        Self::new(&[], factory).map(Arc::new)
    }

    /// The client of a phone that verifies or not, with a factory certificate of this common name
    /// where it has one. A certificate is made when it is first needed.
    ///
    /// # Errors
    /// When the operating system gives no randomness for a key.
    pub fn client(
        &self,
        verify: bool,
        certificate: Option<&str>,
    ) -> Result<Arc<ClientConfig>, CertificateFault> {
        let base = if verify {
            &self.verifying
        } else {
            &self.trusting
        };
        let Some(name) = certificate else {
            return Ok(Arc::clone(base));
        };
        let mut own = ClientConfig::clone(base);
        own.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(self.certificate(name)?));
        Ok(Arc::new(own))
    }

    /// The client as `client` says, offering one version of TLS or all.
    ///
    /// # Errors
    /// As `client`.
    pub fn client_offering(
        &self,
        version: TlsVersion,
        verify: bool,
        certificate: Option<&str>,
    ) -> Result<Arc<ClientConfig>, CertificateFault> {
        let versions: &[&SupportedProtocolVersion] = match version {
            TlsVersion::Any => return self.client(verify, certificate),
            TlsVersion::Only12 => &[&TLS12],
            TlsVersion::Only13 => &[&TLS13],
        };
        let trusted = verify.then_some(self.trusted_pem.as_slice());
        // What it trusts was read before, and both versions are there.
        client(trusted, versions).or_else(|_| self.client(verify, certificate))
    }

    fn certificate(&self, name: &str) -> Result<Arc<CertifiedKey>, CertificateFault> {
        if let Some(known) = self.made().get(name) {
            return Ok(Arc::clone(known));
        }
        // Other shards need not wait for this one's key.
        let certificate = Arc::new(self.factory.phone(name)?);
        let mut made = self.made();
        let kept = made.entry(name.to_owned()).or_insert(certificate);
        Ok(Arc::clone(kept))
    }

    fn made(&self) -> std::sync::MutexGuard<'_, FxHashMap<String, Arc<CertifiedKey>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an error of a connection if it is one of TLS; says whether it was.
    pub fn note(&self, error: &io::Error) -> bool {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let reason = inner.map(reason);
        if let Some(reason) = reason {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            *failed.entry(reason).or_default() += 1;
        }
        reason.is_some()
    }

    /// Why connections failed, and how many, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = failed.iter().map(|(reason, count)| {
            let noun = if *count == 1 {
                "connection"
            } else {
                "connections"
            };
            format!("{count} TLS {noun} failed: {reason}")
        });
        notes.collect()
    }
}

/// True when a PEM text holds a certificate, readable or not.
#[must_use]
pub fn has_certificate(pem: &[u8]) -> bool {
    CertificateDer::pem_slice_iter(pem).next().is_some()
}

/// A client without a certificate of its own that trusts these authorities, or anybody.
fn client(
    trusted_pem: Option<&[u8]>,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?;
    let builder = match trusted_pem {
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(io::Error::other)?;
                roots.add(certificate).map_err(io::Error::other)?;
            }
            builder.with_root_certificates(roots)
        }
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trusting::Trusting(provider))),
    };
    let mut config = builder.with_no_client_auth();
    // A session kept for resumption would be shared by all phones of this client.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// What a TLS error means to somebody who sets up a server.
fn reason(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(fault) => match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet"
            }
            // An authority of the same name with another key is not one that they trust.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the server's certificate is by an authority that the phones do not trust"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name"
            }
            CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
                "the server's certificate is an authority's (CA:TRUE), not a server's"
            }
            _ => "the server's certificate cannot be verified",
        },
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => {
                "the server wants a client certificate and the phone has none"
            }
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => "the server refused the phone's client certificate",
            _ => "the server ended the handshake with an alert",
        },
        Error::PeerIncompatible(_) => "the server has no TLS version or cipher in common",
        Error::InvalidMessage(_) => "the server does not speak TLS",
        _ => "the server broke the rules of TLS",
    }
}

/// For vendors whose phones do not look at the server's certificate; reports say so.
mod trusting {
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    pub(super) struct Trusting(pub(super) Arc<CryptoProvider>);

    impl ServerCertVerifier for Trusting {
        fn verify_server_cert(
            &self,
            _end_entity: &CertificateDer<'_>,
            _intermediates: &[CertificateDer<'_>],
            _server_name: &ServerName<'_>,
            _ocsp_response: &[u8],
            _now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let schemes = &self.0.signature_verification_algorithms;
            verify_tls12_signature(message, cert, dss, schemes)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let schemes = &self.0.signature_verification_algorithms;
            verify_tls13_signature(message, cert, dss, schemes)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}

#[cfg(test)]
mod tests;
