//! The client of the redis workload: a fixed set of commands, sent in batches.
//!
//! The server is what is measured. It listens on a socket in the scratch directory; the
//! client fills it, changes values at random, deletes half and shuts it down.

use hakmem_benches::prng::Prng;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Commands that are sent before the replies are read.
const BATCH: u64 = 500;

/// Keys in use.
const KEYS: u64 = 50_000;

/// How long the server may take to listen, in steps of [`STEP`].
const STEPS: u32 = 2000;
const STEP: Duration = Duration::from_millis(5);

/// Runs the commands and returns a line that sums up the replies.
pub fn client(socket: &Path, quick: bool) -> io::Result<String> {
    let commands = if quick { 60_000 } else { 600_000 };
    let mut connection = Connection::open(socket)?;
    let mut prng = Prng::new(42);
    let mut sum = 0;
    for _ in 0..commands / BATCH {
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            encode(&mut batch, &command(&mut prng));
        }
        sum += connection.exchange(&batch, BATCH)?;
    }
    let mut last = Vec::new();
    encode(&mut last, &["SHUTDOWN".to_owned(), "NOSAVE".to_owned()]);
    connection.stream.write_all(&last)?;
    Ok(format!("{commands} commands, {sum} bytes"))
}

/// A command drawn at random; replies do not depend on time.
fn command(prng: &mut Prng) -> Vec<String> {
    let key = prng.below(KEYS);
    match prng.below(8) {
        0..=2 => vec![
            "SET".to_owned(),
            format!("string:{key}"),
            "v".repeat(prng.between(1, 400) as usize),
        ],
        3 => vec!["DEL".to_owned(), format!("string:{key}")],
        4 => vec!["GET".to_owned(), format!("string:{key}")],
        5 => vec![
            "HSET".to_owned(),
            format!("hash:{}", key % 5000),
            format!("field{}", prng.below(50)),
            "w".repeat(prng.between(1, 100) as usize),
        ],
        6 => vec![
            "APPEND".to_owned(),
            format!("long:{}", key % 2000),
            "x".repeat(prng.between(1, 50) as usize),
        ],
        _ => vec!["DEL".to_owned(), format!("long:{}", key % 2000)],
    }
}

/// Writes a command as an array of bulk strings.
fn encode(bytes: &mut Vec<u8>, words: &[String]) {
    bytes.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
}

struct Connection {
    stream: UnixStream,
    replies: BufReader<UnixStream>,
}

impl Connection {
    /// Waits until the server listens.
    fn open(socket: &Path) -> io::Result<Self> {
        let mut result = UnixStream::connect(socket);
        for _ in 0..STEPS {
            if result.is_ok() {
                break;
            }
            std::thread::sleep(STEP);
            result = UnixStream::connect(socket);
        }
        let stream = result?;
        let replies = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, replies })
    }

    /// Sends a batch and returns the sum of its replies' lengths.
    fn exchange(&mut self, batch: &[u8], count: u64) -> io::Result<u64> {
        self.stream.write_all(batch)?;
        let mut sum = 0;
        for _ in 0..count {
            sum += read_reply(&mut self.replies)?;
        }
        Ok(sum)
    }
}

/// Reads a status, a number or a bulk string, and returns its length in bytes.
fn read_reply(replies: &mut impl BufRead) -> io::Result<u64> {
    let mut line = String::new();
    replies.read_line(&mut line)?;
    let text = line.trim_end();
    let Some(length) = text.strip_prefix('$') else {
        return match text.chars().next() {
            Some('+' | ':') => Ok(text.len() as u64),
            _ => Err(io::Error::other(format!("replied {text:?}"))),
        };
    };
    let Ok(length) = length.parse::<u64>() else {
        return Ok(0); // $-1: there is no such value.
    };
    let mut value = vec![0; length as usize + 2];
    replies.read_exact(&mut value)?;
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_bulk_strings() {
        let mut bytes = Vec::new();
        encode(&mut bytes, &["GET".to_owned(), "key".to_owned()]);
        assert_eq!(bytes, b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
    }

    #[test]
    fn replies_are_read_to_their_end() {
        let mut text: &[u8] = b"+OK\r\n:12\r\n$3\r\na\nb\r\n$-1\r\n-ERR no\r\n";
        assert_eq!(read_reply(&mut text).unwrap(), 3);
        assert_eq!(read_reply(&mut text).unwrap(), 3);
        assert_eq!(read_reply(&mut text).unwrap(), 3);
        assert_eq!(read_reply(&mut text).unwrap(), 0);
        assert!(read_reply(&mut text).is_err());
        assert!(read_reply(&mut text).is_err());
    }
}
