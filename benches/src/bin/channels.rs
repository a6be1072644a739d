//! Channels: boxed messages around a ring of threads.
//!
//! Each thread sends to the next one, through an unbounded channel, and receives from the one
//! before; who receives a message frees it. The channel allocates its own blocks of messages as
//! well, which the receiver frees. Both go by windows: a thread sends a window, and then takes
//! the one that the thread before it has completed [`LEAD`] windows earlier. An operation is
//! one message. The channel's calls of malloc are not counted.
//!
//! Why in a ring, and by windows: where some threads send and another receives as they please,
//! what is measured is the schedule. Senders that meet at the queue's end, and a receiver that
//! has caught up with them, fight for the channel's own cache lines, and park and wake each
//! other; where they happen to run one after the other they do not. The same work on the same
//! allocator took 0.05 s in one run and 0.34 s in the next, nearly all of it in the channel.
//! Here all threads do the same work, so that none waits for long. One sends to a channel, and
//! the one that receives from it is always at least a window behind, or waits for a window
//! and not for a message.

use crossbeam_channel as crossbeam;
use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::report::{Outcome, Report};
use std::sync::mpsc;
use std::thread;

const PROGRAM: Program = Program {
    name: "channels",
    about: "Sends boxed messages around a ring of threads, through channels.",
    parameters: &[
        Parameter::new("kind", "0 std's channel, 1 crossbeam's", 0, 0, 1),
        Parameter::new("threads", "in the ring", 2, 1, 1024),
        Parameter::new("messages", "sent by each thread", 4_000_000, 1, 1 << 40),
        Parameter::new(
            "window",
            "messages sent, or received, at a time",
            1000,
            1,
            1 << 32,
        ),
    ],
};

/// The value of `kind` for the channel of the standard library.
const STD: u64 = 0;

/// Windows by which who receives is behind who sends to it, if both are equally fast.
const LEAD: u64 = 2;

/// What is sent: the sender's number, then what it says, of the size of a small task.
type Message = Box<[u64; 8]>;

fn main() {
    Report::run(&PROGRAM, |[kind, threads, messages, window]| {
        channels(kind, threads, messages, window)
    });
}

fn channels(kind: u64, threads: u64, messages: u64, window: u64) -> Outcome {
    let windows = Windows { messages, window };
    let checksum = if kind == STD {
        ring(threads, windows, || {
            let (sender, receiver) = mpsc::channel();
            let send = move |message| sender.send(message).is_ok();
            (send, receiver.into_iter())
        })
    } else {
        ring(threads, windows, || {
            let (sender, receiver) = crossbeam::unbounded();
            let send = move |message| sender.send(message).is_ok();
            (send, receiver.into_iter())
        })
    };
    Outcome {
        operations: threads * messages,
        mallocs: threads * messages,
        checksum,
    }
}

/// Has each of `threads` send to the next one through what `channel` makes, and sums what they
/// receive.
fn ring<S, R>(threads: u64, windows: Windows, channel: impl Fn() -> (S, R)) -> u64
where
    S: Fn(Message) -> bool + Send,
    R: Iterator<Item = Message> + Send,
{
    let (mut outs, mut ins) = (Vec::new(), Vec::new());
    for _ in 0..threads {
        let (send, received) = channel();
        let (complete, completed) = mpsc::channel();
        outs.push((send, complete));
        ins.push((received, completed));
    }
    // Who receives from the last one is the first one.
    ins.rotate_right(1);
    thread::scope(|scope| {
        let running: Vec<_> = (0..)
            .zip(outs.into_iter().zip(ins))
            .map(|(number, ((send, complete), (received, completed)))| {
                scope.spawn(move || {
                    let complete = move || complete.send(()).is_ok();
                    let received = received.map(|message| message[0] ^ message[7]);
                    windows.pass(number, send, complete, received, &completed)
                })
            })
            .collect();
        let sums = running.into_iter().map(|thread| thread.join());
        sums.fold(0u64, |sum, of_thread| {
            sum.wrapping_add(of_thread.expect("no thread panics"))
        })
    })
}

/// What a thread sends, and when.
#[derive(Clone, Copy)]
struct Windows {
    messages: u64,
    window: u64,
}

impl Windows {
    fn count(self) -> u64 {
        self.messages.div_ceil(self.window)
    }

    /// The messages of a window.
    fn of(self, window: u64) -> std::ops::Range<u64> {
        let first = window * self.window;
        first..(first + self.window).min(self.messages)
    }

    /// Sends all windows as thread `number`, says of each when it is complete, and receives as
    /// many; returns the sum of what `received` yields.
    fn pass(
        self,
        number: u64,
        send: impl Fn(Message) -> bool,
        complete: impl Fn() -> bool,
        mut received: impl Iterator<Item = u64>,
        completed: &mpsc::Receiver<()>,
    ) -> u64 {
        let mut sum = 0u64;
        for window in 0..self.count() + LEAD {
            if window < self.count() {
                for index in self.of(window) {
                    let mut message = Box::new([index; 8]);
                    message[0] = number;
                    assert!(send(message), "nobody receives");
                }
                assert!(complete(), "nobody receives");
            }
            if let Some(window) = window.checked_sub(LEAD) {
                completed.recv().expect("all windows are sent");
                for _ in self.of(window) {
                    let message = received.next().expect("all messages are sent");
                    sum = sum.wrapping_add(message);
                }
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_carry_every_message() {
        for (kind, threads, window) in [(STD, 2, 10), (STD, 3, 7), (1, 2, 10), (1, 1, 1000)] {
            let outcome = channels(kind, threads, 100, window);
            let sent = (0..threads).flat_map(|number| (0..100).map(move |index| number ^ index));
            let expected = (threads * 100, sent.sum());
            assert_eq!((outcome.operations, outcome.checksum), expected);
        }
    }
}
