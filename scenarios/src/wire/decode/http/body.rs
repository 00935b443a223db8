//! Where a body ends, also when some of it is not in the record.

/// How a body is delimited, and how far it has been read.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// Until the connection closes.
    Close,
    /// Nobody knows: until the connection closes or a piece begins like a message.
    Lost,
}

/// What was taken of a body.
#[derive(Debug, Default)]
pub(super) struct Taken<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) missing: usize,
    pub(super) fault: Option<&'static str>,
}

/// How far chunks were read.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Start,
    Size(u64),
    Extension(u64),
    Data(u64),
    DataEnd,
    Trailer {
        empty: bool,
    },
    Over,
}

impl Framing {
    /// Takes a part of the body from the front of `bytes` or, when those are used up, of what is
    /// missing behind them; `None` when the body is over or nothing is there.
    pub(super) fn take<'a>(
        &mut self,
        bytes: &mut &'a [u8],
        missing: &mut usize,
    ) -> Option<Taken<'a>> {
        if bytes.is_empty() && *missing == 0 {
            return None;
        }
        let taken = match self {
            Self::Length(left) => {
                if *left == 0 {
                    return None;
                }
                take(left, bytes, missing)
            }
            Self::Close | Self::Lost => {
                let mut endless = u64::MAX;
                take(&mut endless, bytes, missing)
            }
            Self::Chunked(chunks) => match chunks.take(bytes, missing) {
                Ok(taken) => taken?,
                Err(fault) => {
                    *self = Self::Lost;
                    Taken {
                        fault: Some(fault),
                        ..Taken::default()
                    }
                }
            },
        };
        Some(taken)
    }
}

impl Chunks {
    /// The last chunk and what follows it were read.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn take<'a>(
        &mut self,
        bytes: &mut &'a [u8],
        missing: &mut usize,
    ) -> Result<Option<Taken<'a>>, &'static str> {
        loop {
            if self.is_over() {
                return Ok(None);
            }
            if let State::Data(left) = &mut self.state {
                let taken = take(left, bytes, missing);
                if *left == 0 {
                    self.state = State::DataEnd;
                }
                return Ok(Some(taken));
            }
            let Some((&byte, rest)) = bytes.split_first() else {
                return match missing {
                    0 => Ok(None),
                    _ => Err("a chunk's beginning is not in the record"),
                };
            };
            self.state = self.after(byte)?;
            *bytes = rest;
        }
    }

    fn after(&self, byte: u8) -> Result<State, &'static str> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        Ok(match (self.state, byte, digit) {
            (State::Start, _, Some(digit)) => State::Size(digit),
            (State::Size(size), _, Some(digit)) => {
                let size = size.checked_mul(16).ok_or("chunk size too large")?;
                State::Size(size | digit)
            }
            (State::Size(0) | State::Extension(0), b'\n', _) => State::Trailer { empty: true },
            (State::Size(size) | State::Extension(size), b'\n', _) => State::Data(size),
            (State::Size(size), b'\r' | b';' | b' ' | b'\t', _) => State::Extension(size),
            (State::Extension(size), ..) => State::Extension(size),
            (State::DataEnd, b'\n', _) => State::Start,
            (State::DataEnd, b'\r', _) => State::DataEnd,
            (State::Trailer { empty: true }, b'\n', _) => State::Over,
            (State::Trailer { .. }, b'\n', _) => State::Trailer { empty: true },
            (state @ State::Trailer { .. }, b'\r', _) => state,
            (State::Trailer { .. }, ..) => State::Trailer { empty: false },
            (State::DataEnd, ..) => return Err("no line end after a chunk"),
            _ => return Err("chunk size is no hex number"),
        })
    }
}

/// Takes up to `left` bytes: first those that are there, then those that are missing.
fn take<'a>(left: &mut u64, bytes: &mut &'a [u8], missing: &mut usize) -> Taken<'a> {
    let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
    let (data, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
    *bytes = rest;
    let skipped = (wanted - data.len()).min(*missing);
    // What is missing lies behind all that is there.
    let skipped = if rest.is_empty() { skipped } else { 0 };
    *missing -= skipped;
    *left -= (data.len() + skipped) as u64;
    Taken {
        bytes: data,
        missing: skipped,
        fault: None,
    }
}
