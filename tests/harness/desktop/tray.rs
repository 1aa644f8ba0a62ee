//! The tray, as a panel sees it: `org.kde.StatusNotifierItem` and `com.canonical.dbusmenu`.

use std::{
    collections::HashMap,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use zbus::{
    blocking::{Connection, Proxy, proxy::Builder},
    proxy::CacheProperties,
    zvariant::{OwnedObjectPath, OwnedValue, Structure, Value},
};

/// So long a menu may take to say what is expected.
const PATIENCE: Duration = Duration::from_secs(30);

/// An item in the tray.
#[derive(Debug)]
pub struct TrayItem<'a> {
    item: Proxy<'a>,
    menu: Proxy<'a>,
}

/// An entry of a tray item's menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuItem {
    id: i32,
    /// What it says; empty for a rule.
    pub label: String,
    /// Whether it can be chosen.
    pub enabled: bool,
    /// Whether it is a rule between groups.
    pub rule: bool,
    /// What its submenu holds.
    pub items: Vec<MenuItem>,
}

/// The items that are registered with the panel, as it names them.
pub(super) fn items(connection: &Connection) -> zbus::Result<Vec<String>> {
    let name = "org.kde.StatusNotifierWatcher";
    proxy(connection, name, "/StatusNotifierWatcher", name)?.get_property("RegisteredStatusNotifierItems")
}

/// Asks anew each time: items tell of changes by signals of their own.
fn proxy<'a>(
    connection: &Connection,
    service: &str,
    path: &str,
    interface: &'a str,
) -> zbus::Result<Proxy<'a>> {
    Builder::new(connection)
        .destination(service.to_owned())?
        .path(path.to_owned())?
        .interface(interface)?
        .cache_properties(CacheProperties::No)
        .build()
}

impl TrayItem<'_> {
    /// The item that the panel names so: a bus name and a path in one.
    pub(super) fn new(connection: &Connection, name: &str) -> Self {
        let (service, path) = name.split_at(name.find('/').expect("a bus name, then a path"));
        let item = proxy(connection, service, path, "org.kde.StatusNotifierItem").expect("an item");
        let menu: OwnedObjectPath = item.get_property("Menu").expect("an item has a menu");
        let menu = proxy(connection, service, &menu, "com.canonical.dbusmenu").expect("a menu");
        Self { item, menu }
    }

    /// The file of its icon.
    pub fn icon(&self) -> PathBuf {
        let file: String = self.item.get_property("IconName").expect("an item has an icon");
        file.into()
    }

    /// Its menu.
    pub fn menu(&self) -> Vec<MenuItem> {
        type Entry = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);
        let wanted: Vec<&str> = Vec::new();
        let (_, (_, _, children)): (u32, Entry) =
            self.menu.call("GetLayout", &(0_i32, -1_i32, wanted)).expect("a menu has a layout");
        children.iter().map(|child| entry(child)).collect()
    }

    /// Its menu as text: an entry a line, submenus indented, in brackets what cannot be chosen.
    pub fn text(&self) -> String {
        text(&self.menu(), "")
    }

    /// Waits until the menu says that.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn says(&self, words: &str) {
        let start = Instant::now();
        while !self.text().contains(words) {
            assert!(start.elapsed() < PATIENCE, "the menu does not say {words:?}:\n{}", self.text());
            sleep(Duration::from_millis(100));
        }
    }

    /// Chooses an entry by its words, through submenus.
    ///
    /// # Panics
    /// When there is none that can be chosen.
    #[track_caller]
    pub fn choose(&self, path: &[&str]) {
        let menu = self.menu();
        let mut items = menu.as_slice();
        let mut chosen = None;
        for words in path {
            let found = items.iter().find(|item| item.label.contains(words));
            let item = found.unwrap_or_else(|| panic!("no {words:?} in:\n{}", text(&menu, "")));
            assert!(item.enabled, "{words:?} cannot be chosen in:\n{}", text(&menu, ""));
            items = &item.items;
            chosen = Some(item.id);
        }
        let event = (chosen.expect("a path has an end"), "clicked", Value::from(0_i32), 0_u32);
        let () = self.menu.call("Event", &event).expect("a menu takes events");
    }
}

fn entry(value: &Value<'_>) -> MenuItem {
    let value = match value {
        Value::Value(inner) => inner,
        other => other,
    };
    let structure = Structure::try_from(value.try_clone().expect("no file descriptors")).expect("an entry");
    let [Value::I32(id), Value::Dict(properties), Value::Array(children)] = structure.fields() else {
        panic!("an entry is an id, properties and entries: {structure:?}");
    };
    let text = |name: &str| properties.get::<_, String>(&name).ok().flatten();
    let enabled = properties.get::<_, bool>(&"enabled").ok().flatten();
    MenuItem {
        id: *id,
        // An underscore marks a key; two are one.
        label: text("label").unwrap_or_default().replace("__", "\0").replace('_', "").replace('\0', "_"),
        enabled: enabled.unwrap_or(true),
        rule: text("type").as_deref() == Some("separator"),
        items: children.iter().map(entry).collect(),
    }
}

fn text(items: &[MenuItem], indent: &str) -> String {
    items
        .iter()
        .map(|item| {
            let line = match (item.rule, item.enabled) {
                (true, _) => "---".to_owned(),
                (false, true) => item.label.clone(),
                (false, false) => format!("[{}]", item.label),
            };
            format!("{indent}{line}\n{}", text(&item.items, &format!("{indent}    ")))
        })
        .collect()
}
