//! Who a phone is: its MAC address and place in the run. Model and first firmware come from the
//! profile; what changes over a phone's life is in `flash`.

use crate::rng::Rng;

/// A 48-bit MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address with vendor prefix `oui` and the low 24 bits of `number`.
    #[must_use]
    pub const fn from_oui(oui: [u8; 3], number: u32) -> Self {
        let [_, a, b, c] = number.to_be_bytes();
        let [x, y, z] = oui;
        Self([x, y, z, a, b, c])
    }

    /// The twelve hex digits, lower case, as ASCII bytes.
    #[must_use]
    pub fn digits(self) -> [u8; 12] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 12];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                *high = HEX.get(usize::from(byte >> 4)).copied().unwrap_or(b'0');
                *low = HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
            }
        }
        digits
    }

    /// Reads twelve hex digits, bare or separated by `:` or `-`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let separated = text.len() == 17;
        if !separated && text.len() != 12 {
            return None;
        }
        let mut mac = [0_u8; 6];
        let mut rest = text;
        for (index, byte) in mac.iter_mut().enumerate() {
            if separated && index > 0 {
                rest = rest.strip_prefix([':', '-'])?;
            }
            let digits = rest.get(..2)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(digits, 16).ok()?;
            rest = rest.get(2..)?;
        }
        Some(Self(mac))
    }
}

impl std::fmt::Display for Mac {
    /// Lower case, bare: the form that file names use.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// Who one phone of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The phone's MAC address.
    pub mac: Mac,
    /// Its place in the run, from 0.
    pub index: u32,
    /// The seed of the whole run.
    pub run_seed: u64,
}

impl Identity {
    /// The phone's own generator, in its first state.
    #[must_use]
    pub fn rng(&self) -> Rng {
        Rng::for_phone(self.run_seed, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_written_form_and_prints_the_bare_one() {
        let mac = Mac([0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d]);
        for text in ["0021f222b01d", "00:21:F2:22:B0:1D", "00-21-f2-22-b0-1d"] {
            assert_eq!(Mac::parse(text), Some(mac), "{text}");
        }
        assert_eq!(mac.to_string(), "0021f222b01d");
        assert_eq!(mac.digits(), *b"0021f222b01d");
        for text in [
            "",
            "0021f222b01",
            "0021f222b01g",
            "+021f222b01d",
            "00:21:f2:22:b0-1",
            "é021f222b01",
        ] {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
    }
}
