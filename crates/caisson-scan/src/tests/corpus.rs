//! Precision and recall over texts as tools return them, with and without something to be found.

use std::collections::BTreeMap;

use super::{
    kinds::{Fixture, find_one, fixtures},
    made::Chance,
    *,
};

/// What tools return that holds nothing to be found; what stands in braces is made up.
const CLEAN: [&str; 24] = [
    "The quick brown fox jumps over the lazy dog, and {L:6} sees it at {d:2}:{d:2}.",
    "commit {h:40}\nAuthor: {L:5}\nDate:   Mon Nov 30 20:{d:2}:{d:2} 2026 +0100\n\n    Fix the {L:7}",
    "{uuid} {uuid} {uuid}",
    "sha256:{h:64} {d:8} bytes",
    "integrity sha512-{b:86}==",
    "src/{L:8}/{L:12}_{L:6}.rs:{d:3}: warning: unused variable `{L:5}`",
    "let token = lexer.next_token(); if token.kind == TokenKind::Semicolon { break; }",
    "password = getpass.getpass('Password: ')\nsecret = os.environ['APP_SECRET']",
    "export API_KEY=${API_KEY:?not set}",
    "2026-11-30T20:{d:2}:{d:2}.{d:6}Z INFO  server listening on 127.0.0.1:{d:4} pid={d:5}",
    "{d:3},{d:4},{d:2}.{d:6},{d:10},-{d:2}.{d:14}\n{d:3},{d:4},{d:2}.{d:6},{d:10},-{d:2}.{d:14}",
    "timestamp {d:10} and {d:13}, latitude 4{d:1}.{d:6}, longitude 1{d:1}.{d:6}",
    "<div class=\"{L:5}-{L:6}\" data-id=\"{d:9}\"><span>{L:9}</span></div>",
    "background: url(data:image/png;base64,iVBORw0KGgo{b:400}) no-repeat",
    "SELECT * FROM users WHERE token IS NOT NULL AND created_at > now() - interval '{d:1} days'",
    "https://docs.{L:6}.dev/{L:8}/{L:14}?page={d:2}&sort=asc#{L:7}",
    "Ignore case when the system compares previous versions; instructions are in the README.",
    "version 1.{d:2}.{d:1}, build {d:8}, ISBN 978-3-16-{d:6}-{d:1}",
    "npm install @{L:6}/{L:7}@^{d:1}.{d:1}.{d:1} --save-dev",
    "Привет, как дела? 漢字とかな、한국어. Straße, naïve, 👩\u{200d}💻 ❤\u{fe0f}",
    "{\"id\":\"{a:22}\",\"cursor\":\"{w:48}\",\"etag\":\"W/\\\"{h:32}\\\"\",\"count\":{d:4}}",
    "Call me at extension {d:4}, room {d:3}, order no. {d:8}",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{b:48} me@laptop",
    "-----BEGIN CERTIFICATE-----\n{b:64}\n{b:64}\n{b:30}==\n-----END CERTIFICATE-----",
];

#[test]
fn precision_and_recall() {
    let scanner = scanner(ALL);
    let mut chance = Chance(7);
    // By class: found, missed, found wrongly.
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let class = |kind: &str| kind.split('.').next().unwrap_or_default().to_owned();
    let mut wrong = Vec::new();
    let text = |chance: &mut Chance| {
        let lines: Vec<String> = (0..4)
            .map(|_| {
                let template = *chance.pick(&CLEAN);
                chance.fill(template)
            })
            .collect();
        lines.join("\n")
    };
    for _ in 0..2000 {
        let text = text(&mut chance);
        for kind in kinds(&verdict(&scanner, Direction::ToClient, &result(&text))) {
            counts.entry(class(kind)).or_default()[2] += 1;
            wrong.push(format!("{kind}: {text}"));
        }
    }
    for Fixture { kind, found, .. } in fixtures() {
        for template in &found {
            let Some(planted) = find_one(&scanner, &kind, &format!("\n{template}\n")) else { continue };
            let text = format!("{}{planted}{}", text(&mut chance), text(&mut chance));
            let found = verdict(&scanner, Direction::ToClient, &result(&text));
            let is_found = kinds(&found).contains(&&*kind);
            counts.entry(class(&kind)).or_default()[usize::from(!is_found)] += 1;
            if !is_found {
                wrong.push(format!("{kind} missed: {text}"));
            }
        }
    }
    println!("{:12} {:>6} {:>7} {:>7} {:>10} {:>7}", "", "found", "missed", "wrong", "precision", "recall");
    let mut all = [0; 3];
    for (class, [found, missed, wrong]) in &counts {
        let share = |part: usize, rest: usize| 100.0 * part as f64 / (part + rest).max(1) as f64;
        let (precision, recall) = (share(*found, *wrong), share(*found, *missed));
        println!("{class:12} {found:6} {missed:7} {wrong:7} {precision:9.1}% {recall:6.1}%");
        all = [all[0] + found, all[1] + missed, all[2] + wrong];
    }
    for line in wrong.iter().take(20) {
        println!("{line}\n");
    }
    let [found, missed, wrongly] = all;
    // 8000 lines without anything stand beside each few hundred that have something.
    assert!(found * 100 >= (found + missed) * 99, "{missed} missed");
    assert!(found * 100 >= (found + wrongly) * 98, "{wrongly} wrong");
}
