//! The window, driven through `WebKitWebDriver` (W3C WebDriver over plain HTTP).

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};

use super::{Desktop, Running};
use crate::{
    Home,
    home::{eventually, free_port},
    programs,
};

/// So long a page may take to show what is expected.
const PATIENCE: Duration = Duration::from_secs(60);
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The application, started by the driver, with its window open. Both end when it is dropped.
#[derive(Debug)]
pub struct Window {
    driver: Driver,
    session: String,
    _process: Running,
}

#[derive(Debug)]
struct Driver {
    port: u16,
}

/// An element of the page.
#[derive(Debug)]
pub struct Element<'a> {
    window: &'a Window,
    id: String,
}

impl Window {
    /// Starts the application in `home` and opens its window.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn open(desktop: &Desktop, home: &Home) -> Self {
        let port = free_port();
        let mut command = home.command_of("WebKitWebDriver".as_ref(), &[&format!("--port={port}")]);
        desktop.on_it(&mut command);
        command.env("TAURI_WEBVIEW_AUTOMATION", "true").stdout(Stdio::null());
        let process = Running::start(command);
        let driver = Driver { port };
        eventually(PATIENCE, "the driver answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "webkitgtk:browserOptions": { "binary": programs::desktop(), "args": [] },
        } } });
        let begun = driver.ask("POST", "/session", &wanted).unwrap_or_else(|error| panic!("{error}"));
        let session = begun["sessionId"].as_str().expect("a session has an id").to_owned();
        Self { driver, session, _process: process }
    }

    /// The button of that name, once it is there.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn button(&self, name: &str) -> Element<'_> {
        self.element(&format!(
            "//button[@aria-label='{name}' or (not(@aria-label) and normalize-space()='{name}')]"
        ))
    }

    /// The element at that XPath, once it is there.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn element(&self, xpath: &str) -> Element<'_> {
        let found = || self.find(xpath);
        eventually(PATIENCE, &format!("there is {xpath} in:\n{}", self.text()), || found().is_some());
        found().unwrap_or_else(|| panic!("{xpath} is gone again"))
    }

    /// Whether there is something at that XPath.
    pub fn has(&self, xpath: &str) -> bool {
        self.find(xpath).is_some()
    }

    /// Waits until the page shows these words.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn says(&self, words: &str) {
        eventually(PATIENCE, &format!("the page says {words:?}, not:\n{}", self.text()), || {
            self.text().contains(words)
        });
    }

    /// All words on the page.
    pub fn text(&self) -> String {
        let text = self.run("return document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// What a script in the page returns.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.ask("POST", "execute/sync", &json!({ "script": script, "args": [] }))
    }

    fn find(&self, xpath: &str) -> Option<Element<'_>> {
        let path = format!("/session/{}/element", self.session);
        let found = self.driver.ask("POST", &path, &json!({ "using": "xpath", "value": xpath })).ok()?;
        Some(Element { window: self, id: found[ELEMENT].as_str()?.to_owned() })
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        self.driver.ask(method, &path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        drop(self.driver.ask("DELETE", &format!("/session/{}", self.session), &Value::Null));
    }
}

impl Element<'_> {
    /// Presses it.
    #[track_caller]
    pub fn click(&self) {
        self.window.ask("POST", &format!("element/{}/click", self.id), &json!({}));
    }

    /// Types into it.
    #[track_caller]
    pub fn type_in(&self, text: &str) {
        self.window.ask("POST", &format!("element/{}/value", self.id), &json!({ "text": text }));
    }

    /// Its words.
    #[track_caller]
    pub fn text(&self) -> String {
        let text = self.window.ask("GET", &format!("element/{}/text", self.id), &Value::Null);
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Whether it has the keyboard's focus.
    #[track_caller]
    pub fn has_focus(&self) -> bool {
        let active = self.window.ask("GET", "element/active", &Value::Null);
        active[ELEMENT].as_str() == Some(&self.id)
    }
}

impl Driver {
    /// One request; the answer's `value`, or its error.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self.exchange(method, path, body).map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"])),
            None => Ok(value),
        }
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        Ok(answer)
    }
}
