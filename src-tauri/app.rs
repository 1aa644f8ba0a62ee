//! The application: puts tray, window, relay and controller together on Tauri.

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
};

use tauri::{AppHandle, Manager as _, RunEvent};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    commands,
    controller::Controller,
    glance::Glance,
    link::Way,
    owner::LocalOwner,
    relay::Relay,
    surroundings::{self, StartError, Surroundings},
    tray,
    tray_icon::SystemTray,
    window,
    wish::Wish,
};

/// Runs the application until the user quits.
///
/// # Errors
/// When the desktop has no place for it.
pub(crate) fn run(surroundings: Surroundings) -> Result<(), StartError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(&surroundings.log))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    tauri::Builder::default()
        .plugin(single_instance(&surroundings))
        .invoke_handler(tauri::generate_handler![commands::control, commands::cancel, commands::watch_link])
        .on_window_event(window::on_event)
        .setup(move |app| Ok(set_up(app.handle(), surroundings)?))
        .build(context())?
        .run(|_, event| {
            // Without a window the tray is still there: only `exit` ends the application.
            if let RunEvent::ExitRequested { code: None, api, .. } = event {
                api.prevent_exit();
            }
        });
    Ok(())
}

/// What is bound into this program: the window, its policy, its permissions.
#[expect(clippy::disallowed_methods, reason = "Tauri's own code, where what was bound cannot be read")]
fn context() -> tauri::Context {
    tauri::generate_context!()
}

/// A second start raises the window of the first; with another `CAISSON_HOME` it is another application.
fn single_instance(surroundings: &Surroundings) -> tauri::plugin::TauriPlugin<tauri::Wry> {
    tauri_plugin_single_instance::Builder::new()
        .dbus_id(surroundings.instance_id())
        .callback(|app, arguments, _| {
            let arguments = arguments.into_iter().skip(1).map(OsString::from);
            // One that starts with the session wants no window; neither does one with a slip in its command.
            if surroundings::hidden(arguments).is_ok_and(|hidden| !hidden) {
                window::open(app);
            }
        })
        .build()
}

fn set_up(app: &AppHandle, surroundings: Surroundings) -> tauri::Result<()> {
    let (way_to, way) = watch::channel(Way::Searching);
    app.manage(Relay::new(way));

    let stop = CancellationToken::new();
    let (wish_to, wishes) = mpsc::unbounded_channel();
    let shell = (app.clone(), stop.clone());
    let tray = SystemTray::new(app, tray::tray(&Glance::searching()), &surroundings.icons(), move |wish| {
        let (app, stop) = &shell;
        match wish {
            Wish::Open => window::open(app),
            Wish::Quit => stop.cancel(),
            // The controller is gone only when the application ends.
            Wish::Start(_)
            | Wish::Stop(_)
            | Wish::Restart(_)
            | Wish::PauseAll
            | Wish::ResumeAll
            | Wish::Allow(_)
            | Wish::Deny(_)
            | Wish::Reach { .. }
            | Wish::Block { .. }
            | Wish::KeepAway { .. }
            | Wish::Lock
            | Wish::Unlock => {
                drop(wish_to.send(wish));
            }
        }
    })?;
    if !surroundings.hidden {
        window::open(app);
    }

    let owner = LocalOwner::new(surroundings.setup, stop.clone());
    let controller = Controller::new(tray, owner, wishes, way_to);
    tauri::async_runtime::spawn(stop_on_signal(stop.clone()));
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        controller.run(stop).await;
        app.exit(0);
    });
    Ok(())
}

/// Quits when the system asks: at the session's end, or by `kill`.
async fn stop_on_signal(stop: CancellationToken) {
    let asked = async {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let (mut term, mut interrupt) =
                (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            io::Result::Ok(())
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await
    };
    match asked.await {
        Ok(()) => stop.cancel(),
        Err(error) => tracing::warn!(%error, "signals cannot be heard"),
    }
}
