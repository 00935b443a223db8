//! Certificates that a server gives a phone to trust: PEM or DER, really parsed.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// What a PEM text has somewhere before its first certificate.
const PEM_MARK: &[u8] = b"-----BEGIN ";

/// How many X.509 certificates a file holds: one in DER, one or more in PEM (GIG-46). `None` when
/// it is neither, when any of them cannot be parsed, or when something follows a DER certificate.
/// Names, dates and signatures are not judged: a handset installs what its administrator gives it.
#[must_use]
pub fn certificates(bytes: &[u8]) -> Option<usize> {
    if memchr::memmem::find(bytes, PEM_MARK).is_none() {
        return is_certificate(&CertificateDer::from(bytes)).then_some(1);
    }
    let mut count = 0;
    for read in CertificateDer::pem_slice_iter(bytes) {
        if !read.is_ok_and(|each| is_certificate(&each)) {
            return None;
        }
        count += 1;
    }
    (count > 0).then_some(count)
}

fn is_certificate(der: &CertificateDer<'_>) -> bool {
    webpki::anchor_from_trusted_cert(der).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> rcgen::Certificate {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["ca.test".to_owned()]).unwrap();
        params.self_signed(&key).unwrap()
    }

    // GIG-46
    #[test]
    fn reads_certificates_in_both_forms() {
        let made = authority();
        let pem = made.pem();
        assert_eq!(certificates(made.der()), Some(1));
        assert_eq!(certificates(pem.as_bytes()), Some(1));
        let chain = format!("# two\r\n{pem}\n{pem}");
        assert_eq!(certificates(chain.as_bytes()), Some(2));
    }

    // GIG-46
    #[test]
    fn refuses_what_only_looks_like_one() {
        let made = authority();
        let der = made.der().to_vec();
        let pem = made.pem();
        let swapped = pem.replace("MII", "AAA");
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let trailing = [der.as_slice(), b"x"].concat();
        for bad in [
            b"".as_slice(),
            b"<html></html>",
            b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
            b"-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n",
            b"-----BEGIN CERTIFICATE-----\n",
            swapped.as_bytes(),
            key.as_bytes(),
            &trailing,
            &der[..der.len() - 1],
            &der[..40],
        ] {
            let shown = String::from_utf8_lossy(bad);
            assert_eq!(certificates(bad), None, "{shown}");
        }
        for at in 0..der.len() {
            let mut cut = der.clone();
            cut.truncate(at);
            assert_eq!(certificates(&cut), None, "cut at {at}");
        }
    }

    #[test]
    fn survives_every_changed_byte() {
        let der = authority().der().to_vec();
        for at in 0..der.len() {
            for byte in [0, 1, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = der.clone();
                changed[at] = byte;
                assert!(certificates(&changed).is_none_or(|count| count == 1));
            }
        }
    }
}
