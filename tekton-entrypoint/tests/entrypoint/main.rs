//! The binary that cargo built for this test, as its users meet it: command line, files, signals, exit codes.
#![cfg(unix)]

mod files;
mod output;
mod recorded;
mod signing;
mod step;
mod waiting;
