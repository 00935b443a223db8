//! Encrypted files: AES with a key of 256 bits (FAN-42 … FAN-48).
//!
//! Where a key is set every file is decrypted, whatever it looks like (FAN-44): one that was not
//! encrypted becomes unreadable. Which mode the phones use no document says (FAN-47), so both
//! usual ones are here, and the profile names one.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use md5::{Digest, Md5};

use super::{Document, Format, FormatOptions, Reading, Scratch, modules, read_with};
use crate::names::Names;

/// Bytes of a block.
const BLOCK_BYTES: usize = 16;
/// Memory for decrypted bytes that is kept from file to file.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// How a file is encrypted, and with what. Its `Debug` form does not show the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seal {
    /// The mode.
    pub cipher: Cipher,
    /// The key.
    pub key: [u8; 32],
}

/// A mode of AES-256 (FAN-47: no document says which; both are built in).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Cipher {
    /// ECB, the last block filled up with zero bytes.
    #[default]
    Ecb,
    /// CBC, the initialisation vector being the first 16 bytes, the last block filled up with zero
    /// bytes.
    CbcPrefixed,
}

/// The bytes are not whole blocks, or none, so that nothing can be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes of ciphertext are not whole blocks of {BLOCK_BYTES}")]
pub struct NotBlocks(pub usize);

impl std::fmt::Debug for Seal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Seal")
            .field("cipher", &self.cipher)
            .finish_non_exhaustive()
    }
}

impl Cipher {
    /// Every mode with the name that profiles use.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::Ecb, "ecb"), (Self::CbcPrefixed, "cbc-prefixed")];
}

/// The key that 64 hexadecimal digits of either case say (FAN-42), blanks around them left out;
/// `None` for anything else.
#[must_use]
pub fn parse_key(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim_ascii().as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(value).ok()?;
        }
    }
    Some(key)
}

/// Encrypts bytes, the last block filled up with zero bytes. `vector` is the initialisation vector
/// of the mode that has one; see `vector_for`.
#[must_use]
pub fn seal(seal: &Seal, plain: &[u8], vector: [u8; 16]) -> Vec<u8> {
    let cipher = Aes256::new(&seal.key.into());
    let mut blocks: Vec<Block<Aes256>> = Vec::with_capacity(plain.len() / BLOCK_BYTES + 2);
    if seal.cipher == Cipher::CbcPrefixed {
        blocks.push(vector.into());
    }
    let first = blocks.len();
    for part in plain.chunks(BLOCK_BYTES) {
        let mut block = Block::<Aes256>::default();
        block
            .iter_mut()
            .zip(part)
            .for_each(|(to, from)| *to = *from);
        blocks.push(block);
    }
    match seal.cipher {
        Cipher::Ecb => cipher.encrypt_blocks(&mut blocks),
        Cipher::CbcPrefixed => {
            let mut previous = Block::<Aes256>::from(vector);
            for block in blocks.iter_mut().skip(first) {
                block
                    .iter_mut()
                    .zip(previous)
                    .for_each(|(to, from)| *to ^= from);
                cipher.encrypt_block(block);
                previous = *block;
            }
        }
    }
    blocks.concat()
}

/// An initialisation vector that depends on key and content alone, so that a file written twice is
/// the same bytes.
#[must_use]
pub fn vector_for(seal: &Seal, plain: &[u8]) -> [u8; 16] {
    let mut digest = Md5::new();
    digest.update(seal.key);
    digest.update(plain);
    digest.finalize().into()
}

/// Decrypts bytes into `plain`, whose content goes; the zero bytes at the end are left out. With a
/// wrong key the result is noise, not an error.
///
/// # Errors
/// `NotBlocks` when the length is not a multiple of 16 or nothing is there to decrypt; `plain` is
/// empty then.
pub fn open(seal: &Seal, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), NotBlocks> {
    /// Decrypted at a time; a multiple of what the processor does at once.
    const RUN: usize = 64;
    plain.clear();
    let fault = NotBlocks(bytes.len());
    let (vector, sealed) = match seal.cipher {
        Cipher::Ecb => ([0; BLOCK_BYTES], bytes),
        Cipher::CbcPrefixed => {
            let (vector, rest) = bytes.split_first_chunk::<BLOCK_BYTES>().ok_or(fault)?;
            (*vector, rest)
        }
    };
    let (blocks, rest) = sealed.as_chunks::<BLOCK_BYTES>();
    if blocks.is_empty() || !rest.is_empty() {
        return Err(fault);
    }
    let cipher = Aes256::new(&seal.key.into());
    plain.reserve(sealed.len());
    let mut previous = vector;
    let mut run = [Block::<Aes256>::default(); RUN];
    for part in blocks.chunks(RUN) {
        let Some(run) = run.get_mut(..part.len()) else {
            continue;
        };
        for (to, from) in run.iter_mut().zip(part) {
            *to = (*from).into();
        }
        cipher.decrypt_blocks(run);
        for (block, sealed) in run.iter_mut().zip(part) {
            if seal.cipher == Cipher::CbcPrefixed {
                block
                    .iter_mut()
                    .zip(previous)
                    .for_each(|(to, from)| *to ^= from);
                previous = *sealed;
            }
            plain.extend_from_slice(block);
        }
    }
    let padding = plain.iter().rev().take_while(|byte| **byte == 0).count();
    plain.truncate(plain.len() - padding);
    Ok(())
}

/// Reads a file that counts as encrypted (FAN-44).
pub(super) fn read(
    seal: &Seal,
    scratch: &mut Scratch,
    (format, options): (Format, FormatOptions),
    bytes: &[u8],
    keys: &mut Names,
) -> Document {
    let mut plain = std::mem::take(&mut scratch.plain);
    let document = match open(seal, bytes, &mut plain) {
        Ok(()) => {
            let options = FormatOptions {
                seal: None,
                ..options
            };
            let document = read_with(scratch, format, options, &plain, keys);
            match document.reading {
                Reading::Whole => document,
                // A known start came out, so the key is right.
                _ if modules::begins(&plain) => unreadable(Reading::Cut),
                _ => unreadable(Reading::WrongKey),
            }
        }
        Err(NotBlocks(_)) if is_text(bytes) => unreadable(Reading::WrongKey),
        Err(NotBlocks(_)) => unreadable(Reading::Cut),
    };
    if plain.capacity() <= KEPT_BYTES_MAX {
        plain.clear();
        scratch.plain = plain;
    }
    document
}

/// Whether bytes have the length and the look of ciphertext (FAN-48): whole blocks, no text, and
/// about all byte values equally often.
pub(super) fn looks_sealed(bytes: &[u8]) -> bool {
    /// Looked at, from the start.
    const SAMPLE_BYTES: usize = 4 << 10;
    /// Of two bytes of noise one in 256 pairs is equal, of a text one in 15, of an encrypted file
    /// with many blocks alike somewhat more than of noise.
    const PAIRS_PER_EQUAL: usize = 32;
    if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK_BYTES) || is_text(bytes) {
        return false;
    }
    let sample = bytes.get(..SAMPLE_BYTES).unwrap_or(bytes);
    let mut counts = [0_usize; 256];
    for byte in sample {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let equal: usize = counts
        .iter()
        .map(|count| count * count.saturating_sub(1))
        .sum();
    equal * PAIRS_PER_EQUAL <= sample.len() * (sample.len() - 1)
}

/// UTF-8 without control characters.
fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| *byte < b' ' && !byte.is_ascii_whitespace();
    !bytes.iter().any(control) && std::str::from_utf8(bytes).is_ok()
}

fn unreadable(reading: Reading) -> Document {
    Document {
        reading,
        ..Document::default()
    }
}

#[cfg(test)]
mod tests;
