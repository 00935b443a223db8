//! Encrypted files: AES with a key of 256 bits (FAN-42 … FAN-48).

/// How a file is encrypted, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
