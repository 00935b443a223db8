//! The world around virtual phones: attachments, shards, the reference server, the command line.
