//! Buffers that datagrams under way are kept in, used again.

/// Empty ones kept; more are given back.
const SPARE_MAX: usize = 4_096;

/// Empty buffers.
#[derive(Debug, Default)]
pub(super) struct Buffers(Vec<Vec<u8>>);

impl Buffers {
    /// These bytes in a buffer.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut copy = self.0.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(bytes);
        copy
    }

    /// Takes one that is needed no more.
    pub(super) fn take_back(&mut self, buffer: Vec<u8>) {
        if self.0.len() < SPARE_MAX {
            self.0.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_copied_last_and_nothing_of_before() {
        let mut buffers = Buffers::default();
        let first = buffers.copy(&[1; 600]);
        let at = first.as_ptr();
        buffers.take_back(first);
        let second = buffers.copy(&[2; 3]);
        assert_eq!(second, [2; 3]);
        assert_eq!(second.as_ptr(), at, "the same buffer again");
    }

    #[test]
    fn keeps_no_more_than_its_limit() {
        let mut buffers = Buffers::default();
        for _ in 0..SPARE_MAX + 10 {
            buffers.take_back(Vec::new());
        }
        assert_eq!(buffers.0.len(), SPARE_MAX);
    }
}
