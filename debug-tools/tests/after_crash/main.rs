//! `hakmem` on core files, processes and traces of programs that these tests run on hakmem.

mod checked;
mod damage;
mod debuggers;
mod demo;
mod followed;
mod lost;
mod plain_crate;
mod refused;
mod runs;
mod small_core;
mod stacks;
mod states;
mod story;
mod support;
mod tops;
mod traces;
mod truncated;
mod verify;
mod versions;
