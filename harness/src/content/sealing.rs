//! Encrypted files (FAN-42 … FAN-48): which key a fleet has for which file, and the file itself.

use bootstorm_emulator::format::sealed::{self, Seal};
use bootstorm_emulator::profile::{Param, Profile};
use sha2::{Digest, Sha256};

use super::Writer;

impl Writer<'_> {
    /// How a file is encrypted whose key is in this field; `None` where the fleet has none for it.
    pub(super) fn seal(&self, profile: &Profile, field: Param) -> Option<Seal> {
        let fleet = self.plan.fleet(self.phone)?;
        // FAN-46: the fields may stand for each other's files.
        let swapped = self.plan.web_text(self.phone, Param::KeysSwapped) == "1";
        let digits = match (field == Param::CommonKey) != swapped {
            true => &fleet.seal.common_key,
            false => &fleet.seal.device_key,
        };
        Some(Seal {
            cipher: profile.cipher?,
            key: sealed::parse_key(digits)?,
        })
    }
}

/// An encrypted file. Where the mode has an initialisation vector it comes from the run's seed and
/// the file's path, so that a run repeats itself byte for byte.
pub(super) fn sealed(seal: &Seal, plain: &[u8], seed: u64, path: &str) -> Vec<u8> {
    let mut hash = Sha256::new_with_prefix(b"bootstorm initialisation vector");
    hash.update(seed.to_be_bytes());
    hash.update(path.as_bytes());
    let mut vector = [0; 16];
    for (byte, from) in vector.iter_mut().zip(hash.finalize()) {
        *byte = from;
    }
    sealed::seal(seal, plain, vector)
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::format::sealed::Cipher;

    use super::*;

    // FAN-43, FAN-47
    #[test]
    fn files_repeat_with_the_seed_and_differ_with_it_and_with_their_path() {
        let seal = Seal {
            cipher: Cipher::CbcPrefixed,
            key: [7; 32],
        };
        let one = sealed(&seal, b"text", 1, "a.cfg");
        assert_eq!(one, sealed(&seal, b"text", 1, "a.cfg"));
        assert_ne!(one, sealed(&seal, b"text", 2, "a.cfg"));
        assert_ne!(one, sealed(&seal, b"text", 1, "b.cfg"));
        assert!(!one.windows(4).any(|part| part == b"text"));
        let plain = Seal {
            cipher: Cipher::Ecb,
            ..seal
        };
        let one = sealed(&plain, b"text", 1, "a.cfg");
        assert_eq!(one, sealed(&plain, b"text", 2, "b.cfg"));
    }
}
