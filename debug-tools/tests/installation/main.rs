//! What `make install` and the Debian packages put where, used as a user does, and taken away again.
//!
//! Nothing is built for it but what other tests build as well: the two libraries and the command.

mod installed;
mod packages;
mod prefix;
