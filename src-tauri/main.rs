//! The desktop application: a tray, and a window that shows what the control API says.
//!
//! It holds no product logic. Where no daemon runs it hosts one, and asks it over the same socket as everyone.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod app;
mod commands;
mod controller;
mod desktop;
mod glance;
mod link;
mod notice;
mod notifications;
mod owner;
mod relay;
#[cfg(test)]
mod samples;
mod surroundings;
mod tray;
mod tray_icon;
mod window;
mod wish;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

fn main() -> ExitCode {
    match surroundings::read().and_then(app::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // Nobody left to read the message is no reason to fail otherwise.
            drop(writeln!(io::stderr(), "caisson-desktop: {fault}"));
            ExitCode::FAILURE
        }
    }
}
