//! Channels: boxed messages from several threads to one.
//!
//! The channel is unbounded and allocates its own blocks of messages as well, which the
//! receiver frees. A sender waits after each window until the receiver has taken the
//! window before, so that the queue does not grow as long as the schedule likes. An
//! operation is one message. The channel's calls of malloc are not counted.

use crossbeam_channel as crossbeam;
use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::report::{Outcome, Report};
use std::sync::mpsc;
use std::thread;

const PROGRAM: Program = Program {
    name: "channels",
    about: "Sends boxed messages from several threads to one, through a channel.",
    parameters: &[
        Parameter::new("kind", "0 std's channel, 1 crossbeam's", 0, 0, 1),
        Parameter::new("senders", "threads that send", 2, 1, 1024),
        Parameter::new("messages", "by each sender", 1_000_000, 1, 1 << 40),
        Parameter::new(
            "window",
            "messages of a sender between two waits",
            1000,
            1,
            1 << 32,
        ),
    ],
};

/// The value of `kind` for the channel of the standard library.
const STD: u64 = 0;

/// What is sent: the sender's number, then what it says, of the size of a small task.
type Message = Box<[u64; 8]>;

fn main() {
    Report::run(&PROGRAM, |[kind, senders, messages, window]| {
        channels(kind, senders, messages, window)
    });
}

fn channels(kind: u64, senders: u64, messages: u64, window: u64) -> Outcome {
    let checksum = if kind == STD {
        let (sender, receiver) = mpsc::channel();
        let send = move |message| sender.send(message).is_ok();
        transfer(senders, messages, window, send, receiver.into_iter())
    } else {
        let (sender, receiver) = crossbeam::unbounded();
        let send = move |message| sender.send(message).is_ok();
        transfer(senders, messages, window, send, receiver.into_iter())
    };
    Outcome {
        operations: senders * messages,
        mallocs: senders * messages,
        checksum,
    }
}

/// Sends by clones of `send`, and sums what is received.
fn transfer<S>(
    senders: u64,
    messages: u64,
    window: u64,
    send: S,
    received: impl Iterator<Item = Message>,
) -> u64
where
    S: Fn(Message) -> bool + Clone + Send,
{
    thread::scope(|scope| {
        let mut accounts = Vec::new();
        for number in 0..senders {
            let send = send.clone();
            let (credit, taken) = mpsc::sync_channel(1);
            accounts.push(Account { credit, count: 0 });
            scope.spawn(move || send_all(number, messages, window, &send, &taken));
        }
        drop(send);
        let mut sum = 0u64;
        for message in received {
            sum = sum.wrapping_add(message[0] ^ message[7]);
            accounts[message[0] as usize].take(window);
        }
        sum
    })
}

/// What one thread sends; `taken` tells when a window was received.
fn send_all<S>(number: u64, messages: u64, window: u64, send: &S, taken: &mpsc::Receiver<()>)
where
    S: Fn(Message) -> bool,
{
    for index in 0..messages {
        if index >= 2 * window && index.is_multiple_of(window) {
            taken.recv().expect("the receiver reads to the end");
        }
        let mut message = Box::new([index; 8]);
        message[0] = number;
        assert!(send(message), "nobody receives");
    }
}

/// The receiver's side of one sender.
struct Account {
    credit: mpsc::SyncSender<()>,
    count: u64,
}

impl Account {
    /// Counts a message, and tells the sender when its window is complete.
    fn take(&mut self, window: u64) {
        self.count += 1;
        if self.count.is_multiple_of(window) {
            // A sender that is done waits no longer, and its end of the line is gone.
            let _ = self.credit.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_carry_every_message() {
        let expected = (0..100).map(|index| index + (index ^ 1)).sum();
        for kind in [STD, 1] {
            let outcome = channels(kind, 2, 100, 10);
            assert_eq!((outcome.operations, outcome.checksum), (200, expected));
        }
    }
}
