//! Certificates for HTTPS: authorities of the run's own, one for servers and one for the factory
//! that phones come from, or what the user gives.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bootstorm_scenarios::scenario::ClientCertificate;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;

/// The factory authority's certificate in its directory: what a server is to verify phones with.
pub const FACTORY_CERTIFICATE: &str = "factory-ca.pem";
/// Its private key there, readable by its owner only.
pub const FACTORY_KEY: &str = "factory-ca.key";
const SERVER_AUTHORITY: &str = "Bootstorm test authority";
const FACTORY_AUTHORITY: &str = "Bootstorm test factory";

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
    /// Certificates of phones cannot be verified with this authority.
    #[error("failed to verify clients: {0}")]
    Verify(#[from] rustls::server::VerifierBuilderError),
    /// The factory authority's directory cannot be read or written.
    #[error("failed to {what} {}: {fault}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system says.
        fault: io::Error,
    },
    /// A file that is no private key.
    #[error(
        "failed to read the key in {}: {fault}; expected a P-256 key as PEM, or no file (then it \
         is made)",
        path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// What rcgen says.
        fault: rcgen::Error,
    },
}

/// A certificate authority that lives as long as the run. Phones (and curl) trust a server of it
/// once they are given `pem`.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What an HTTPS listener needs.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<rustls::ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl Authority {
    /// A new authority for servers, with a new ECDSA P-256 key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn new() -> Result<Self, CertificateFault> {
        Self::with_new_key(SERVER_AUTHORITY)
    }

    /// A new authority for the factory certificates of phones.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn factory() -> Result<Self, CertificateFault> {
        Self::with_new_key(FACTORY_AUTHORITY)
    }

    /// The factory authority that is kept in a directory, so that a server that was set up with its
    /// certificate knows the phones of every run. Its files are made where they are missing.
    ///
    /// # Errors
    /// `File` and `Key`.
    pub fn kept_in(directory: &Path) -> Result<Self, CertificateFault> {
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |fault| CertificateFault::File { what, path, fault }
        };
        fs::create_dir_all(directory).map_err(failed("make", directory))?;
        let (pem, key) = (
            directory.join(FACTORY_CERTIFICATE),
            directory.join(FACTORY_KEY),
        );
        let authority = match fs::read_to_string(&key) {
            Ok(text) => {
                let path = key.clone();
                let read = KeyPair::from_pem(&text);
                let read = read.map_err(|fault| CertificateFault::Key { path, fault })?;
                Self::with_key(FACTORY_AUTHORITY, read)?
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                let made = Self::factory()?;
                let mut options = OpenOptions::new();
                let options = options.write(true).create_new(true).mode(0o600);
                let written = options.open(&key).and_then(|mut file| {
                    file.write_all(made.issuer.key().serialize_pem().as_bytes())
                });
                written.map_err(failed("write", &key))?;
                // One that is left over belongs to another key.
                fs::write(&pem, made.pem()).map_err(failed("write", &pem))?;
                made
            }
            Err(fault) => return Err(failed("read", &key)(fault)),
        };
        if !pem.exists() {
            fs::write(&pem, authority.pem()).map_err(failed("write", &pem))?;
        }
        Ok(authority)
    }

    fn with_new_key(name: &'static str) -> Result<Self, CertificateFault> {
        let key = KeyPair::generate().map_err(making(name))?;
        Self::with_key(name, key)
    }

    fn with_key(name: &'static str, key: KeyPair) -> Result<Self, CertificateFault> {
        let mut params = CertificateParams::new(Vec::new()).map_err(making(name))?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(making(name))?;
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
        self.server_with(names, |_| {})
    }

    /// The same with a certificate that is valid from the first to the second of these days: a
    /// deliberate defect.
    ///
    /// # Errors
    /// `Make` for a name that is neither.
    pub fn server_valid(
        &self,
        names: &[String],
        from: (i32, u8, u8),
        until: (i32, u8, u8),
    ) -> Result<ServerTls, CertificateFault> {
        let day = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
        self.server_with(names, |params| {
            params.not_before = day(from);
            params.not_after = day(until);
        })
    }

    fn server_with(
        &self,
        names: &[String],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<ServerTls, CertificateFault> {
        let all = names.join(", ");
        let mut params = CertificateParams::new(names).map_err(making(&all))?;
        let common = names.first().map_or("bootstorm", String::as_str);
        params.distinguished_name.push(DnType::CommonName, common);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let key = KeyPair::generate().map_err(making(&all))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(making(&all))?;
        let chain = vec![certificate.der().clone(), self.issuer.der().clone()];
        ServerTls::new(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    /// The factory certificate of a phone with a key of its own; `name` is its common name, the MAC
    /// as the vendor writes it.
    ///
    /// # Errors
    /// `Make` when the operating system gives no randomness.
    pub fn phone(&self, name: &str) -> Result<CertifiedKey, CertificateFault> {
        let mut params = CertificateParams::new(Vec::new()).map_err(making(name))?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(making(name))?;
        let signed = params.signed_by(&key, &self.issuer).map_err(making(name))?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = rustls::crypto::ring::default_provider();
        let key = provider.key_provider.load_private_key(key)?;
        Ok(CertifiedKey::new(vec![signed.der().clone()], key))
    }
}

fn making(names: &str) -> impl Fn(rcgen::Error) -> CertificateFault + '_ {
    |fault| CertificateFault::Make {
        names: names.to_owned(),
        fault,
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

    /// The same server, asking its clients for certificates of this factory.
    ///
    /// # Errors
    /// `Verify` and `Use`; never for an authority of this module.
    pub fn wanting(
        self,
        wanted: ClientCertificate,
        factory: &Authority,
    ) -> Result<Self, CertificateFault> {
        if wanted == ClientCertificate::None {
            return Ok(self);
        }
        let mut roots = RootCertStore::empty();
        roots.add(factory.issuer.der().clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match wanted {
            ClientCertificate::Require => builder,
            ClientCertificate::Request | ClientCertificate::None => builder.allow_unauthenticated(),
        };
        Self::with_verifier(self.chain, self.key, builder.build()?)
    }

    /// The configuration for rustls: TLS 1.2 and 1.3, HTTP/1.1.
    #[must_use]
    pub fn config(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.config)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateFault> {
        Self::with_verifier(chain, Arc::new(key), WebPkiClientVerifier::no_client_auth())
    }

    fn with_verifier(
        chain: Vec<CertificateDer<'static>>,
        key: Arc<PrivateKeyDer<'static>>,
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> Result<Self, CertificateFault> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            chain,
            key,
        })
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

    #[test]
    fn a_factory_keeps_its_key_to_itself_and_comes_back_the_same() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("factory");
        let first = Authority::kept_in(&directory).unwrap();
        let again = Authority::kept_in(&directory).unwrap();
        let key = |authority: &Authority| authority.issuer.key().serialize_pem();
        assert_eq!(key(&first), key(&again));
        let pem = fs::read_to_string(directory.join(FACTORY_CERTIFICATE)).unwrap();
        assert_eq!(pem, first.pem());
        assert!(!pem.contains("PRIVATE"));
        let facts = fs::metadata(directory.join(FACTORY_KEY)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&facts.permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn says_what_is_wrong_with_a_factory_that_was_given() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FACTORY_KEY), "no key").unwrap();
        let fault = Authority::kept_in(home.path()).unwrap_err();
        assert!(matches!(fault, CertificateFault::Key { .. }), "{fault}");
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let fault = Authority::kept_in(&file).unwrap_err();
        assert!(matches!(fault, CertificateFault::File { .. }), "{fault}");
        assert!(fault.to_string().contains("file"), "{fault}");
    }
}
