//! A desktop of a test's own: an X server without a screen, a D-Bus session, and a panel with a tray.

mod tray;
mod webdriver;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use zbus::blocking::{Connection, connection};

pub use tray::{MenuItem, TrayItem};
pub use webdriver::{Element, Window};

use crate::{Home, home::eventually, programs};

/// So long a program of the desktop may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A desktop that ends with the test.
#[derive(Debug)]
pub struct Desktop {
    // Dropped from top to bottom: the panel before the bus it is on, the bus before its screen.
    connection: Connection,
    _panel: Running,
    _bus: Running,
    _screen: Running,
    display: String,
    address: String,
    dark: bool,
    folder: TempDir,
}

/// A program that ends when it is dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Running {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended, and well.
    ///
    /// # Panics
    /// When it ended badly.
    #[track_caller]
    pub fn has_ended(&mut self) -> bool {
        match self.0.try_wait().expect("a child can be asked") {
            Some(status) => {
                assert!(status.success(), "ended with {status}");
                true
            }
            None => false,
        }
    }
}

impl Desktop {
    /// Where a new window of the application stands.
    pub const WINDOW: &str = "960x640+160+80";
    /// Where the tray and its menu stand.
    pub const TRAY: &str = "480x200+800+0";

    /// A desktop with a light or a dark theme.
    ///
    /// # Panics
    /// When a program of it does not come up.
    pub fn new(dark: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("csnd").tempdir_in("/tmp").expect("room for a desktop");
        let (screen, display) = screen(folder.path());
        let (bus, address) = bus(folder.path());
        configure_panel(folder.path(), dark);
        let mut panel = Command::new("xfce4-panel");
        panel.arg("--disable-wm-check").stdout(Stdio::null()).stderr(Stdio::null());
        surround(&mut panel, folder.path(), &display, &address, dark);
        panel.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path().join("config"));
        let panel = Running::start(panel);
        let connection = connection::Builder::address(address.as_str())
            .and_then(connection::Builder::build)
            .expect("the session's bus answers");
        let desktop =
            Self { connection, _panel: panel, _bus: bus, _screen: screen, display, address, dark, folder };
        eventually(PATIENCE, "the panel has a tray", || desktop.tray_items().is_some());
        desktop
    }

    /// The tray application, ready to run in `home` on this desktop.
    pub fn app(&self, home: &Home, args: &[&str]) -> Command {
        let mut command = home.command_of(&programs::desktop(), args);
        self.on_it(&mut command);
        command
    }

    /// Lets a command run on this desktop.
    pub fn on_it(&self, command: &mut Command) {
        surround(command, self.folder.path(), &self.display, &self.address, self.dark);
    }

    /// The one item in the tray, once it is there.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn tray(&self) -> TrayItem<'_> {
        eventually(PATIENCE, "an item is in the tray", || {
            self.tray_items().is_some_and(|items| items.len() == 1)
        });
        TrayItem::new(&self.connection, &self.tray_items().unwrap_or_default()[0])
    }

    /// Whether a window of that title is to be seen.
    pub fn shows(&self, title: &str) -> bool {
        let mut search = Command::new("xdotool");
        search.args(["search", "--onlyvisible", "--name", &format!("^{title}$")]);
        self.on_it(&mut search);
        search.stdin(Stdio::null()).output().expect("xdotool runs").status.success()
    }

    /// Moves the pointer and presses the left button.
    pub fn press(&self, x: u32, y: u32) {
        let mut press = Command::new("xdotool");
        press.args(["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
        self.on_it(&mut press);
        assert!(press.status().expect("xdotool runs").success());
    }

    /// A picture of a part of the screen (`WIDTHxHEIGHT+X+Y`), where `CAISSON_TEST_PICTURES` names a folder
    /// for it.
    pub fn picture(&self, part: &str, name: &str) {
        if let Some(folder) = std::env::var_os("CAISSON_TEST_PICTURES") {
            // Drawing without a graphics card lags behind the page.
            std::thread::sleep(Duration::from_secs(1));
            let mut import = Command::new("/usr/bin/import");
            import
                .args(["-window", "root", "-crop", part, "+repage"])
                .arg(PathBuf::from(folder).join(name).with_extension("png"));
            self.on_it(&mut import);
            assert!(import.status().expect("ImageMagick is installed").success());
        }
    }

    fn tray_items(&self) -> Option<Vec<String>> {
        tray::items(&self.connection).ok()
    }
}

fn surround(command: &mut Command, folder: &Path, display: &str, address: &str, dark: bool) {
    command
        .env("DISPLAY", display)
        .env("DBUS_SESSION_BUS_ADDRESS", address)
        .env("XDG_RUNTIME_DIR", folder.join("run"))
        .env("GTK_THEME", if dark { "Adwaita:dark" } else { "Adwaita" })
        // No accessibility bus, and no graphics card.
        .env("NO_AT_BRIDGE", "1")
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .env_remove("WAYLAND_DISPLAY");
}

fn screen(folder: &Path) -> (Running, String) {
    // The X server picks a number nobody uses and writes it here.
    let number = folder.join("display");
    let mut xvfb = Command::new("bash");
    xvfb.args(["-c", "exec Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 3>\"$0\""]).arg(&number);
    xvfb.stdout(Stdio::null()).stderr(Stdio::null());
    let xvfb = Running::start(xvfb);
    let read = || fs::read_to_string(&number).unwrap_or_default();
    eventually(PATIENCE, "the X server runs", || read().ends_with('\n'));
    (xvfb, format!(":{}", read().trim()))
}

fn bus(folder: &Path) -> (Running, String) {
    let run = folder.join("run");
    fs::create_dir(&run).expect("a folder for the session");
    fs::set_permissions(&run, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it is ours");
    let mut daemon = Command::new("dbus-daemon");
    daemon
        .args(["--session", "--nofork", "--print-address=1"])
        .arg(format!("--address=unix:dir={}", run.display()));
    daemon.env("HOME", folder).env("XDG_CONFIG_HOME", folder.join("config"));
    daemon.env("XDG_RUNTIME_DIR", &run).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut daemon = Running::start(daemon);
    let mut address = String::new();
    let stdout = daemon.0.stdout.take().expect("a pipe was asked for");
    BufReader::new(stdout).read_line(&mut address).expect("the bus says where it is");
    (daemon, address.trim().to_owned())
}

/// One panel at the top, with nothing in it but the tray at its right end.
fn configure_panel(folder: &Path, dark: bool) {
    let channels = folder.join("config/xfce4/xfconf/xfce-perchannel-xml");
    fs::create_dir_all(&channels).expect("a folder for the panel's settings");
    let settings = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="{dark}"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="30"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
      <property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
"#
    );
    fs::write(channels.join("xfce4-panel.xml"), settings).expect("the panel's settings");
}
