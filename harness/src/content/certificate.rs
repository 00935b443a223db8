//! Certificates among the files for phones: real ones, of authorities that nobody has the key of
//! any longer, and the same bytes each time they are made.

use bootstorm_emulator::profile::CertificateForm;
use md5::{Digest, Md5};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::PrivatePkcs8KeyDer;

/// What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410 §7).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The certificate of an authority that is called like its file. Ed25519, since its signatures
/// have no randomness: fleets that share a file agree on its bytes.
pub(super) fn authority(path: &str, form: CertificateForm) -> Vec<u8> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Ok(made) = make(name) else {
        // The key has the right length and the name needs no encoding.
        return Vec::new();
    };
    match form {
        CertificateForm::Pem => made.pem().into_bytes(),
        CertificateForm::Der => made.der().to_vec(),
    }
}

fn make(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut key = PKCS8_HEAD.to_vec();
    for half in ["one", "other"] {
        key.extend_from_slice(&Md5::digest(format!("{half} half of the key of {name}")));
    }
    let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key))?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2120, 1, 1);
    CertifiedIssuer::self_signed(params, key)
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::certificate::certificates;

    use super::*;

    #[test]
    fn makes_the_same_certificate_each_time_and_another_for_each_name() {
        for form in [CertificateForm::Pem, CertificateForm::Der] {
            let made = authority("custom/CA.pem", form);
            assert_eq!(certificates(&made), Some(1));
            assert_eq!(made, authority("elsewhere/CA.pem", form));
            assert_ne!(made, authority("custom/other.pem", form));
        }
    }

    #[test]
    fn both_forms_are_one_certificate() {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let pem = authority("CA", CertificateForm::Pem);
        let der = CertificateDer::from_pem_slice(&pem).unwrap();
        assert_eq!(der.as_ref(), authority("CA", CertificateForm::Der));
    }
}
