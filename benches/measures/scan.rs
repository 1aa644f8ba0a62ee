//! What looking through messages costs, beside reading the same bytes with `serde_json`. It needs no engine: the scanner
//! is a part of the daemon, and here it is called alone.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use caisson_core::gate::scan::{Context, Direction, DlpPolicy, OwnSecrets, Scanner, Verdict};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::{
    Fallible,
    finding::{Finding, Row, Target, Wanted, least, most, ratio},
};

/// The size of a large result, in bytes.
const LARGE: usize = 1 << 20;
const SMALL: usize = 1 << 10;
/// Each is measured again and again for so long; the fastest counts.
const LONG: Duration = Duration::from_millis(1500);

pub(crate) fn measure() -> Fallible<Finding> {
    let scanner = Scanner::new(&DlpPolicy::default())?;
    let value = b"correct-horse-battery-staple-42".to_vec().into();
    let secrets = OwnSecrets::new([("TOKEN", &value)])?;
    let context = Context { direction: Direction::ToClient, server: "bench", tool: None, secrets: &secrets };

    let (mut rows, mut speeds, mut call) = (Vec::new(), Vec::new(), None);
    for (what, message) in messages() {
        let verdict = match scanner.message(message.as_bytes(), &context)? {
            Verdict::Clean => "clean",
            Verdict::Noted(_) => "noted",
            Verdict::Redacted { .. } => "redacted",
            Verdict::Blocked(_) => "blocked",
        };
        let scanned = fastest(|| scanner.message(black_box(message.as_bytes()), &context).is_ok());
        let skipped = fastest(|| serde_json::from_str::<IgnoredAny>(black_box(&message)).is_ok());
        let read = fastest(|| serde_json::from_str::<Value>(black_box(&message)).is_ok());
        let speed = |time: f64| Some(message.len() as f64 / time);
        let values =
            [Some(scanned), speed(scanned), speed(skipped), speed(read), ratio(Some(read), Some(scanned))];
        if message.len() < 2 * SMALL {
            call = most([call, Some(scanned)]);
        } else {
            speeds.push(speed(scanned));
        }
        rows.push(Row::new(what, values).with_note(verdict));
    }
    Ok(Finding {
        title: "Looking through messages for what they should not carry".to_owned(),
        engine: "none".to_owned(),
        columns: vec![
            "µs",
            "MB/s",
            "MB/s, serde_json skipping",
            "MB/s, serde_json reading",
            "beside reading",
        ],
        rows,
        targets: vec![
            Target { what: "µs for a call of 1 KB", wanted: Wanted::AtMost(50.0), seen: call },
            Target {
                what: "MB/s of large results, the slowest",
                wanted: Wanted::AtLeast(200.0),
                seen: least(speeds),
            },
        ],
    })
}

/// The fastest of many times, in microseconds.
fn fastest(work: impl Fn() -> bool) -> f64 {
    let (began, mut best) = (Instant::now(), Duration::MAX);
    while began.elapsed() < LONG {
        let began = Instant::now();
        black_box(work());
        best = best.min(began.elapsed());
    }
    best.as_nanos() as f64 / 1e3
}

fn messages() -> Vec<(&'static str, String)> {
    let prose = "The scheduler wakes a task when its future can make progress; until then it costs no more than its \
        memory. A budget keeps one task from starving the others, and yields between polls.\n";
    let code = "    let mut token = lexer.next_token()?;\n    if token.kind == TokenKind::Ident { self.names.insert(token.text, \
        (line, 42)); } // see parser.rs:1204\n";
    let log = "2026-11-30T20:41:12.123456Z  INFO request{id=8f3a2c1d-77aa-4c1e-9f10-1c2d3e4f5a6b method=GET path=/api/v1/users} \
        status=200 took=1.234ms\n";
    let other = "Die Größe der Straße überrascht – „naïve“ Gäste fragen: Привет, как дела? 漢字とかな。\n";
    // Of the form of a token, and of no service's.
    let dirty = format!("{prose}mail ada@example.org, password = {}{}\n", "Zx81", "kQ72mNv5Rt0p");
    let text = |line: &str, size: usize| line.repeat(size / line.len() + 1);
    let result = |text: &str| {
        json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": text}]}})
            .to_string()
    };
    let rows: Vec<Value> = (0..LARGE / 160)
        .map(|at| json!({"id": at, "name": format!("item {at}"), "path": format!("/srv/data/{at}.txt"), "tags": ["a", "blue"], "ok": true, "note": "nothing to see here"}))
        .collect();
    let blob = text("iVBORw0KGgoAAAANSUhEUgAA7f9Zk3QmXc1bT0yLw+8R/sVhJd2pNaE5uK6", LARGE);
    vec![
        ("call, 1 KB", json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "write_file", "arguments": {"path": "/workspace/src/main.rs", "content": text(code, SMALL - 200)}}}).to_string()),
        ("prose", result(&text(prose, LARGE))),
        ("code", result(&text(code, LARGE))),
        ("log", result(&text(log, LARGE))),
        ("other scripts", result(&text(other, LARGE))),
        ("JSON of many strings", json!({"jsonrpc": "2.0", "id": 1, "result": {"structuredContent": {"rows": rows}}}).to_string()),
        ("JSON in a text", result(&Value::from(rows.clone()).to_string())),
        ("image in base64", json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "image", "data": blob, "mimeType": "image/png"}]}}).to_string()),
        ("much to be found", result(&text(&dirty, LARGE))),
    ]
}
