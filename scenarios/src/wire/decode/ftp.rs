//! FTP, as a record has it: what is said on the control connection in one piece, then the file.

use md5::{Digest, Md5};

use super::tcp::Piece;
use super::{BODY_SHOWN_MAX, hex};
use crate::wire::Way;
use crate::wire::message::Message;

/// One retrieval.
#[derive(Debug, Default)]
pub(super) struct Retrieval {
    path: String,
    bytes: usize,
    /// Some of the file is not in the record.
    cut: bool,
    digest: Md5,
    shown: Vec<u8>,
    ended: bool,
}

impl Retrieval {
    /// Takes a piece: what the phone says, or a part of the file.
    pub(super) fn feed(&mut self, piece: &Piece<'_, '_>, out: &mut Vec<Message>) {
        let length = piece.bytes.len() + piece.missing;
        let mut fields = piece.fields(length);
        if piece.packet.way == Way::Received {
            self.bytes += length;
            self.cut |= piece.missing > 0;
            self.digest.update(piece.bytes);
            let room = BODY_SHOWN_MAX.saturating_sub(self.shown.len());
            let more = piece.bytes.get(..room).unwrap_or(piece.bytes);
            self.shown.extend_from_slice(more);
            fields.put("file", &self.path);
            fields.put("bytes", length);
            return out.push(piece.message("ftp.data".into(), length, fields));
        }
        let text = String::from_utf8_lossy(piece.bytes);
        for line in text.lines() {
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            match verb {
                "USER" => fields.put("user", rest),
                "PASS" => fields.put("password", rest),
                "TYPE" => fields.put("type", rest),
                "PASV" => fields.put("mode", "passive"),
                "PORT" => fields.put("mode", "active"),
                "RETR" => {
                    fields.put("file", rest);
                    rest.clone_into(&mut self.path);
                }
                _ => {}
            }
        }
        out.push(piece.message("ftp.retr".into(), length, fields));
    }

    /// The retrieval is over, in good order or with a reason why not.
    pub(super) fn end(&mut self, piece: &Piece<'_, '_>, out: &mut Vec<Message>, complete: bool) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut fields = piece.fields(self.bytes);
        fields.put("file", &self.path);
        fields.put("bytes", self.bytes);
        fields.put("complete", complete);
        if !complete && !piece.bytes.is_empty() {
            fields.put_text("reason", piece.bytes);
        }
        fields.put_body(&self.shown);
        if self.cut {
            fields.put("truncated", true);
        } else if complete {
            let digest = std::mem::take(&mut self.digest).finalize();
            fields.put("md5", hex(&digest));
        }
        out.push(piece.message("ftp.end".into(), self.bytes, fields));
    }
}
