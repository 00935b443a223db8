//! Where a body ends: `Content-Length`, chunks, or the end of the connection (RFC 9112 §6, §7).

use super::super::Malformed;
use super::response::ReadFault;
use crate::limits::HEADER_BYTES_MAX;

/// How a body is delimited, and how far it has been read.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are left.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// Until the peer closes.
    UntilClose,
}

/// The chunk decoder.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: ChunkState,
    /// Bytes of extensions and trailers so far: `HEADER_BYTES_MAX` in one body.
    extra: usize,
    /// Bytes read so far, for `Malformed::offset`.
    offset: usize,
}

#[derive(Debug, Clone, Copy)]
enum ChunkState {
    /// In the digits of a chunk size.
    Size { value: u64, digits: bool },
    /// In what follows the digits, which has no meaning here.
    Extension { value: u64 },
    /// So many bytes of the chunk are left.
    Data(u64),
    /// Before the line end that follows a chunk's data.
    DataEnd { cr: bool },
    /// In the lines after the last chunk.
    Trailer { empty: bool },
    /// The empty line after the last chunk was read.
    Done,
}

impl Default for ChunkState {
    fn default() -> Self {
        Self::Size {
            value: 0,
            digits: false,
        }
    }
}

/// What the next bytes of a body are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A piece of the body, not empty.
    Data(&'a [u8]),
    /// More input is needed.
    More,
    /// The body is complete.
    End,
}

impl Body {
    /// Takes the next piece from the front of `input`.
    pub(super) fn read<'a>(&mut self, input: &mut &'a [u8]) -> Result<Piece<'a>, ReadFault> {
        match self {
            Self::Length(0) => Ok(Piece::End),
            Self::Length(left) => Ok(take(left, input)),
            Self::UntilClose => {
                let mut endless = u64::MAX;
                Ok(take(&mut endless, input))
            }
            Self::Chunked(chunks) => chunks.read(input),
        }
    }
}

impl Chunks {
    fn read<'a>(&mut self, input: &mut &'a [u8]) -> Result<Piece<'a>, ReadFault> {
        loop {
            if let ChunkState::Data(left) = &mut self.state {
                let piece = take(left, input);
                if *left == 0 {
                    self.state = ChunkState::DataEnd { cr: false };
                }
                if let Piece::Data(data) = piece {
                    self.offset = self.offset.saturating_add(data.len());
                }
                return Ok(piece);
            }
            if matches!(self.state, ChunkState::Done) {
                return Ok(Piece::End);
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(Piece::More);
            };
            *input = rest;
            self.state = self.after(byte)?;
            self.offset = self.offset.saturating_add(1);
        }
    }

    /// The state after one byte outside chunk data. A bare LF ends a line too (RFC 9112 §2.2).
    fn after(&mut self, byte: u8) -> Result<ChunkState, ReadFault> {
        match (self.state, byte) {
            (
                ChunkState::Size {
                    digits: true,
                    value,
                },
                b'\n',
            ) => Ok(chunk(value)),
            (
                ChunkState::Size {
                    digits: true,
                    value,
                },
                b'\r' | b';' | b' ' | b'\t',
            ) => Ok(ChunkState::Extension { value }),
            (ChunkState::Size { value, .. }, byte) => {
                let digit = char::from(byte).to_digit(16);
                let digit = digit.ok_or(self.malformed("chunk size is no hex number"))?;
                let value = value
                    .checked_mul(16)
                    .ok_or(self.malformed("chunk size too large"))?;
                Ok(ChunkState::Size {
                    value: value | u64::from(digit),
                    digits: true,
                })
            }
            (ChunkState::Extension { value }, b'\n') => Ok(chunk(value)),
            (ChunkState::DataEnd { .. }, b'\n') => Ok(ChunkState::default()),
            (ChunkState::DataEnd { cr: false }, b'\r') => Ok(ChunkState::DataEnd { cr: true }),
            (ChunkState::DataEnd { .. }, _) => Err(self.malformed("no line end after a chunk")),
            (ChunkState::Trailer { empty: true }, b'\n') => Ok(ChunkState::Done),
            (ChunkState::Trailer { .. }, b'\n') => self.extra(ChunkState::Trailer { empty: true }),
            (state @ ChunkState::Trailer { .. }, b'\r') => self.extra(state),
            (ChunkState::Trailer { .. }, _) => self.extra(ChunkState::Trailer { empty: false }),
            (state, _) => self.extra(state),
        }
    }

    /// Counts a byte that carries nothing.
    fn extra(&mut self, next: ChunkState) -> Result<ChunkState, ReadFault> {
        self.extra += 1;
        if self.extra > HEADER_BYTES_MAX {
            return Err(ReadFault::HeaderBytes);
        }
        Ok(next)
    }

    fn malformed(&self, what: &'static str) -> ReadFault {
        ReadFault::Malformed(Malformed::new(what, self.offset))
    }
}

/// What follows a chunk's size.
fn chunk(size: u64) -> ChunkState {
    match size {
        0 => ChunkState::Trailer { empty: true },
        size => ChunkState::Data(size),
    }
}

/// Takes up to `left` bytes from the front of `input`.
fn take<'a>(left: &mut u64, input: &mut &'a [u8]) -> Piece<'a> {
    let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
    let (data, rest) = input.split_at_checked(wanted).unwrap_or((input, &[]));
    *left -= data.len() as u64;
    *input = rest;
    if data.is_empty() {
        Piece::More
    } else {
        Piece::Data(data)
    }
}
