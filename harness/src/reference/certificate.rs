//! Certificates for HTTPS: a certificate authority of the run's own, or what the user gives.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// A host name that cannot be put into a certificate, or no randomness for a key.
    #[error("failed to make a certificate for {names}: {fault}")]
    Make {
        /// The names, separated by commas.
        names: String,
        /// What rcgen says.
        fault: rcgen::Error,
    },
    /// A PEM text without the certificate or key that is expected in it.
    #[error("failed to read the {what}: {fault}; expected a PEM text")]
    Pem {
        /// "certificate" or "private key".
        what: &'static str,
        /// What is wrong with it.
        fault: rustls::pki_types::pem::Error,
    },
    /// A key that does not belong to its certificate, or is of a kind that rustls has not.
    #[error("failed to use certificate and key for TLS: {0}")]
    Use(#[from] rustls::Error),
}

/// A certificate authority that lives as long as the run. Phones (and curl) trust a server of it
/// once they are given `pem`.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What an HTTPS listener needs.
#[derive(Debug, Clone)]
pub struct ServerTls(Arc<rustls::ServerConfig>);

impl Authority {
    /// A new authority with a new ECDSA P-256 key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn new() -> Result<Self, CertificateFault> {
        let name = "Bootstorm test authority";
        let fault = |fault| CertificateFault::Make {
            names: name.to_owned(),
            fault,
        };
        let mut params = CertificateParams::new(Vec::new()).map_err(fault)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(fault)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(fault)?;
        Ok(Self { issuer })
    }

    /// The authority's certificate, for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate and key for a server with these host names and IP addresses.
    ///
    /// # Errors
    /// `Make` for a name that is neither.
    pub fn server(&self, names: &[String]) -> Result<ServerTls, CertificateFault> {
        let fault = |fault| CertificateFault::Make {
            names: names.join(", "),
            fault,
        };
        let mut params = CertificateParams::new(names).map_err(fault)?;
        let common = names.first().map_or("bootstorm", String::as_str);
        params.distinguished_name.push(DnType::CommonName, common);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(fault)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(fault)?;
        let chain = vec![certificate.der().clone(), self.issuer.der().clone()];
        ServerTls::new(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

impl ServerTls {
    /// The certificate (with its chain) and key of the user's, as PEM texts.
    ///
    /// # Errors
    /// `Pem` and `Use`.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, CertificateFault> {
        let unreadable = |what| move |fault| CertificateFault::Pem { what, fault };
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(unreadable("certificate"))?;
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable("private key"))?;
        Self::new(chain, key)
    }

    /// The configuration for rustls: TLS 1.2 and 1.3, HTTP/1.1.
    #[must_use]
    pub fn config(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.0)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateFault> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_certifies_names_and_addresses() {
        let authority = Authority::new().unwrap();
        assert!(authority.pem().starts_with("-----BEGIN CERTIFICATE-----"));
        let names = ["prv.example".to_owned(), "127.0.0.1".to_owned()];
        assert!(authority.server(&names).is_ok());
    }

    #[test]
    fn says_which_name_cannot_be_certified() {
        let authority = Authority::new().unwrap();
        let fault = authority.server(&["münchen".to_owned()]).unwrap_err();
        assert!(matches!(fault, CertificateFault::Make { .. }));
        assert!(fault.to_string().contains("münchen"), "{fault}");
    }

    #[test]
    fn takes_the_users_own_certificate_and_says_what_is_wrong_with_it() {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let chain = params.self_signed(&key).unwrap().pem();
        let key = key.serialize_pem();
        assert!(ServerTls::from_pem(&chain, &key).is_ok());
        let fault = ServerTls::from_pem(&chain, "no key").unwrap_err();
        assert!(fault.to_string().contains("private key"), "{fault}");
        let other = KeyPair::generate().unwrap().serialize_pem();
        let fault = ServerTls::from_pem(&chain, &other).unwrap_err();
        assert!(matches!(fault, CertificateFault::Use(_)), "{fault}");
    }
}
