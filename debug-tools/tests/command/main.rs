//! Tests of the `hakmem` command from outside.

mod history;
mod library;
mod refusals;
mod run;
mod support;
