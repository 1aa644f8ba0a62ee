//! The tray of the system: shows what [`crate::tray`] says.

use std::{
    mem::discriminant,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use caisson_core::model::{Offer, Question, QuestionId};
use tauri::{
    AppHandle, Wry,
    image::Image,
    include_image,
    menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu},
    tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent},
};

use crate::{
    desktop::Desktop,
    notifications::Notifications,
    tray::{Item, Mark, Tray},
    window,
    wish::Wish,
};

const RUNNING: Image<'_> = include_image!("icons/tray/running.png");
const IDLE: Image<'_> = include_image!("icons/tray/idle.png");
const ATTENTION: Image<'_> = include_image!("icons/tray/attention.png");
const PAUSED: Image<'_> = include_image!("icons/tray/paused.png");
const ABSENT: Image<'_> = include_image!("icons/tray/absent.png");

fn picture(mark: Mark) -> Image<'static> {
    match mark {
        Mark::Running => RUNNING,
        Mark::Idle => IDLE,
        Mark::Attention => ATTENTION,
        Mark::Paused => PAUSED,
        Mark::Absent => ABSENT,
    }
}

/// The tray of the system.
#[derive(Clone)]
pub(crate) struct SystemTray {
    app: AppHandle,
    shown: Arc<Mutex<Shown>>,
    notifications: Notifications,
}

/// What stands in the tray.
struct Shown {
    icon: TrayIcon,
    tray: Tray,
    menu: Menu<Wry>,
    lines: Vec<Line>,
}

/// A line of the system's menu, kept to change it in place: a menu that is rebuilt closes under the pointer.
enum Line {
    Words(MenuItem<Wry>),
    Submenu(Submenu<Wry>),
    Rule(PredefinedMenuItem<Wry>),
}

impl SystemTray {
    /// Puts `tray` into the system's tray. `icons` is a folder of this user's own, for the icons' files.
    ///
    /// # Errors
    /// When the system has no tray to put it into.
    pub(crate) fn new(
        app: &AppHandle,
        tray: Tray,
        icons: &Path,
        wishes: impl Fn(Wish) + Send + Sync + 'static,
    ) -> tauri::Result<Self> {
        let wishes = Arc::new(wishes);
        let pressed = Arc::clone(&wishes);
        let notifications = Notifications::new(move |wish| pressed(wish));
        let (menu, lines) = build(app, &tray.menu)?;
        let icon = TrayIconBuilder::with_id("caisson")
            .icon(picture(tray.mark))
            .tooltip(&tray.title)
            .menu(&menu)
            // Windows opens an application's window by a click on its icon; elsewhere a click shows the menu.
            .show_menu_on_left_click(!cfg!(windows))
            .temp_dir_path(icons)
            .on_menu_event(move |_, event| {
                if let Ok(wish) = event.id().as_ref().parse() {
                    wishes(wish);
                }
            })
            .on_tray_icon_event(|icon, event| {
                let clicked = matches!(
                    event,
                    TrayIconEvent::Click {
                        button: MouseButton::Left,
                        button_state: MouseButtonState::Up,
                        ..
                    }
                );
                if cfg!(windows) && clicked {
                    window::open(icon.app_handle());
                }
            })
            .build(app)?;
        let shown = Arc::new(Mutex::new(Shown { icon, tray, menu, lines }));
        Ok(Self { app: app.clone(), shown, notifications })
    }
}

impl Desktop for SystemTray {
    fn show_tray(&self, tray: &Tray) {
        let (app, shown, tray) = (self.app.clone(), Arc::clone(&self.shown), tray.clone());
        let sent = self.app.run_on_main_thread(move || {
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = shown.change(&app, tray) {
                tracing::error!(%error, "the tray cannot be changed");
            }
        });
        if let Err(error) = sent {
            tracing::debug!(%error, "the application ends, and the tray with it");
        }
    }

    fn ask(&self, question: &Question) {
        self.notifications.ask(question);
    }

    fn offer(&self, offer: &Offer) {
        self.notifications.offer(offer);
    }

    fn withdraw(&self, offer: &Offer) {
        self.notifications.withdraw(offer);
    }

    fn settle(&self, id: QuestionId) {
        self.notifications.settle(id);
    }
}

impl Shown {
    fn change(&mut self, app: &AppHandle, tray: Tray) -> tauri::Result<()> {
        if self.tray.mark != tray.mark {
            self.icon.set_icon(Some(picture(tray.mark)))?;
        }
        if self.tray.title != tray.title {
            self.icon.set_tooltip(Some(&tray.title))?;
        }
        if same_shape(&self.tray.menu, &tray.menu) {
            self.update(app, &tray.menu)?;
        } else {
            let (menu, lines) = build(app, &tray.menu)?;
            self.icon.set_menu(Some(menu.clone()))?;
            (self.menu, self.lines) = (menu, lines);
        }
        self.tray = tray;
        Ok(())
    }

    fn update(&mut self, app: &AppHandle, items: &[Item]) -> tauri::Result<()> {
        let pairs = self.lines.iter_mut().zip(&self.tray.menu).zip(items).enumerate();
        for (position, ((kept, _), item)) in pairs.filter(|(_, ((_, old), new))| old != new) {
            match (&*kept, item) {
                (Line::Words(kept), Item::Line(words)) => kept.set_text(plain(words))?,
                (Line::Words(kept), Item::Action { label, enabled, .. }) => {
                    kept.set_text(plain(label))?;
                    kept.set_enabled(*enabled)?;
                }
                // Not `set_text`: for a submenu it changes nothing on GTK (muda 0.20).
                (Line::Submenu(old), Item::Submenu { .. }) => {
                    let new = line(app, item)?;
                    self.menu.remove(old)?;
                    self.menu.insert(new.item(), position)?;
                    *kept = new;
                }
                (Line::Words(_) | Line::Submenu(_) | Line::Rule(_), _) => {}
            }
        }
        Ok(())
    }
}

/// Whether the menus have the same lines, with other words.
fn same_shape(old: &[Item], new: &[Item]) -> bool {
    old.len() == new.len()
        && old.iter().zip(new).all(|pair| match pair {
            (Item::Action { wish: old, .. }, Item::Action { wish: new, .. }) => old == new,
            (old, new) => discriminant(old) == discriminant(new),
        })
}

fn build(app: &AppHandle, items: &[Item]) -> tauri::Result<(Menu<Wry>, Vec<Line>)> {
    let lines = items.iter().map(|item| line(app, item)).collect::<tauri::Result<Vec<_>>>()?;
    let menu = Menu::with_items(app, &lines.iter().map(Line::item).collect::<Vec<_>>())?;
    Ok((menu, lines))
}

fn line(app: &AppHandle, item: &Item) -> tauri::Result<Line> {
    Ok(match item {
        Item::Line(words) => Line::Words(MenuItem::new(app, plain(words), false, None::<&str>)?),
        Item::Action { wish, label, enabled } => {
            Line::Words(MenuItem::with_id(app, wish.to_string(), plain(label), *enabled, None::<&str>)?)
        }
        Item::Submenu { label, items } => {
            let lines = items.iter().map(|item| line(app, item)).collect::<tauri::Result<Vec<_>>>()?;
            let menu = Submenu::with_items(
                app,
                plain(label),
                true,
                &lines.iter().map(Line::item).collect::<Vec<_>>(),
            )?;
            Line::Submenu(menu)
        }
        Item::Rule => Line::Rule(PredefinedMenuItem::separator(app)?),
    })
}

impl Line {
    fn item(&self) -> &dyn IsMenuItem<Wry> {
        match self {
            Self::Words(line) => line,
            Self::Submenu(menu) => menu,
            Self::Rule(rule) => rule,
        }
    }
}

/// The text as it is: menus take `&` for the mark of a key.
fn plain(text: &str) -> String {
    text.replace('&', "&&")
}
