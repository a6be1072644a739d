//! `hakmem` on core files, processes and traces of programs that these tests run on hakmem.

mod damage;
mod demo;
mod runs;
mod small_core;
mod states;
mod story;
mod support;
mod traces;
mod truncated;
mod verify;
