//! What the window can ask of the shell: to relay to the control API, and how the way to it stands.

use caisson_core::control::api::{ApiError, NoticeBody};
use serde_json::Value;
use tauri::{State, ipc::Channel};

use crate::{link::Link, relay::Relay};

/// Makes a request of the control API. `call` is the window's number for it.
#[tauri::command]
pub(crate) async fn control(
    relay: State<'_, Relay>,
    call: u64,
    method: String,
    params: Value,
    notices: Channel<NoticeBody>,
) -> Result<Value, ApiError> {
    relay.control(call, &method, params, Box::new(move |notice| notices.send(notice).is_ok())).await
}

/// Cancels a request, or ends what it subscribed to.
#[tauri::command]
pub(crate) fn cancel(relay: State<'_, Relay>, call: u64) {
    relay.cancel(call);
}

/// Tells how the way to the control API stands, from here on. A page asks once, when it begins.
#[tauri::command]
pub(crate) fn watch_link(relay: State<'_, Relay>, link: Channel<Link>) {
    let page = relay.turn_page();
    let mut way = relay.way();
    tauri::async_runtime::spawn(async move {
        loop {
            let stands = way.borrow_and_update().link();
            if link.send(stands).is_err() {
                return;
            }
            tokio::select! {
                changed = way.changed() => if changed.is_err() { return },
                () = page.cancelled() => return,
            }
        }
    });
}
