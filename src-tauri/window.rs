//! The window. It is made when it is first wanted, and closes to the tray.

use tauri::{
    AppHandle, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder, Window, WindowEvent,
    webview::PageLoadEvent,
};

/// The one window.
const MAIN: &str = "main";

/// Shows the window and brings it to front.
pub(crate) fn open(app: &AppHandle) {
    let app = app.clone();
    // Never within an event's handler: on Windows, making a window there waits for itself.
    tauri::async_runtime::spawn(async move {
        let opened = match app.get_webview_window(MAIN) {
            Some(window) => raise(&window),
            None => make(&app),
        };
        if let Err(error) = opened {
            tracing::error!(%error, "the window cannot be shown");
        }
    });
}

fn raise(window: &WebviewWindow) -> tauri::Result<()> {
    window.show()?;
    window.unminimize()?;
    window.set_focus()
}

fn make(app: &AppHandle) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, MAIN, WebviewUrl::default())
        .title("Caisson")
        .inner_size(960.0, 640.0)
        .min_inner_size(420.0, 360.0)
        .center()
        // Shown once it is drawn, so that nobody sees it white.
        .visible(false)
        .on_page_load(|window, load| {
            if load.event() == PageLoadEvent::Finished
                && let Err(error) = raise(&window)
            {
                tracing::error!(%error, "the window cannot be shown");
            }
        })
        // The window shows what is bound into this program and goes nowhere else.
        .on_navigation(|url| url.scheme() == "tauri" || url.host_str() == Some("tauri.localhost"))
        .build()
        .map(drop)
}

/// Closing hides: the tray stays.
pub(crate) fn on_event(window: &Window, event: &WindowEvent) {
    if let WindowEvent::CloseRequested { api, .. } = event {
        api.prevent_close();
        if let Err(error) = window.hide() {
            tracing::error!(%error, "the window cannot be hidden");
        }
    }
}
