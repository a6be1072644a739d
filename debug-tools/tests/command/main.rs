//! Tests of the `hakmem` command from outside.

mod library;
mod refusals;
mod run;
mod support;
