use std::collections::HashMap;

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json, value::to_raw_value};

use super::*;

/// Counts calls by rule, without a window.
#[derive(Default)]
struct Counting(HashMap<usize, usize>);

impl Counter for Counting {
    fn is_beyond(&mut self, rule: usize, rate: Rate) -> bool {
        let count = self.0.entry(rule).or_default();
        *count += 1;
        *count > rate.calls()
    }
}

/// A call, for a table: server, tool, client, whether it is read-only, arguments.
type Example<'a> = (&'a str, &'a str, &'a str, bool, Value);

fn decide(policy: &Policy, counter: &mut dyn Counter, example: &Example<'_>) -> Ruling {
    let (server, tool, client, read_only, arguments) = example;
    let arguments = Arguments::read(Some(&to_raw_value(arguments).unwrap())).unwrap();
    let (server, marks) = (server.parse().unwrap(), Marks { read_only: *read_only, ..Marks::default() });
    let call = Call { server: &server, tool, client, marks, arguments: &arguments };
    // A Monday, ten o'clock.
    let now = "2026-11-30T10:00:00Z".parse().unwrap();
    policy.decide(&call, now, &TimeZone::UTC, counter)
}

const POLICY: &str = r#"
preset = "ask-for-changes"

[[rule]] # line 4
then = "allow"
why = "our own issues"
server = "github"
tool = ["create_issue", "add_*"]
[[rule.arguments]]
at = "/owner"
like = ["my-org", "my-other-org"]

[[rule]] # line 13
then = "allow"
server = "files"
tool = "write_file"
[[rule.arguments]]
at = "/path"
below = "/workspace/output"

[[rule]] # line 21
then = "deny"
server = "files"
[[rule.arguments]]
at = "/path"
below = "/workspace/output/secret"

[[rule]] # line 28
then = "deny"
client = "job-*"
marked = { read_only = false }

[[rule]] # line 33
then = "deny"
server = "search"
beyond = "2/minute"

[[rule]] # line 38
then = "ask"
server = "night"
tool = "get"
during = { days = ["mon"], from = "09:00", until = "11:00" }
"#;

#[test]
fn the_strictest_rule_about_a_call_decides() {
    let policy = Policy::parse(POLICY).unwrap();
    let rule = |line| By::Rule { line, why: None };
    let by_preset = |read_only| By::Preset { preset: Preset::AskForChanges, read_only };
    let ours = By::Rule { line: 4, why: Some("our own issues".into()) };
    for (example, verb, by) in [
        (("github", "create_issue", "cursor", false, json!({"owner": "my-org"})), Verb::Allow, ours.clone()),
        (("github", "add_label", "cursor", false, json!({"owner": "my-org"})), Verb::Allow, ours),
        (("github", "create_issue", "cursor", false, json!({"owner": "other"})), Verb::Ask, by_preset(false)),
        (
            ("github", "create_issue", "cursor", false, json!({"Owner": "my-org"})),
            Verb::Ask,
            by_preset(false),
        ),
        (("github", "get", "cursor", true, json!({})), Verb::Allow, by_preset(true)),
        (("files", "write_file", "x", false, json!({"path": "/workspace/output/a"})), Verb::Allow, rule(13)),
        (
            ("files", "write_file", "x", false, json!({"path": "/workspace/output/secret/a"})),
            Verb::Deny,
            rule(21),
        ),
        (
            ("files", "write_file", "x", false, json!({"path": "/workspace/output/../output/secret"})),
            Verb::Deny,
            rule(21),
        ),
        // Where it leads is not clear: it is not allowed, and it is denied.
        (("files", "write_file", "x", false, json!({"path": "secret/a"})), Verb::Deny, rule(21)),
        (("files", "write_file", "x", false, json!({"path": "/etc/passwd"})), Verb::Ask, by_preset(false)),
        (("files", "read_file", "x", true, json!({})), Verb::Allow, by_preset(true)),
        (("github", "add_label", "job-42", false, json!({"owner": "my-org"})), Verb::Deny, rule(28)),
        (("github", "get", "job-42", true, json!({})), Verb::Allow, by_preset(true)),
        (("night", "get", "x", true, json!({})), Verb::Ask, rule(38)),
    ] {
        let ruling = decide(&policy, &mut Counting::default(), &example);
        assert_eq!(ruling, Ruling { verb, by }, "{example:?}");
    }
}

#[test]
fn a_rule_with_a_rate_is_about_what_is_beyond_it() {
    let policy = Policy::parse(POLICY).unwrap();
    let mut counting = Counting::default();
    let mut search = || decide(&policy, &mut counting, &("search", "web", "x", true, json!({}))).verb;
    assert_eq!([search(), search(), search()], [Verb::Allow, Verb::Allow, Verb::Deny]);
}

#[test]
fn presets() {
    for (preset, reading, changing) in [
        ("ask-for-everything", Verb::Ask, Verb::Ask),
        ("ask-for-changes", Verb::Allow, Verb::Ask),
        ("never-ask", Verb::Allow, Verb::Allow),
    ] {
        let policy = Policy::parse(&format!("preset = \"{preset}\"")).unwrap();
        let of = |read_only| {
            decide(&policy, &mut Counting::default(), &("a", "b", "c", read_only, json!({}))).verb
        };
        assert_eq!((of(true), of(false)), (reading, changing), "{preset}");
    }
    assert_eq!(Policy::strictest().preset(), Preset::AskForEverything);
    assert_eq!(Policy::parse("").unwrap(), Policy::default());
}

#[test]
fn every_line_of_the_explanation_is_policy() {
    assert_eq!(Policy::parse(TEMPLATE).unwrap(), Policy::default());
    let uncommented: String =
        TEMPLATE.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n").collect();
    let policy = Policy::parse(&uncommented).unwrap();
    assert_eq!(policy.len(), 1);
    assert_eq!((policy.preset(), policy.approvals(), policy.loops()), {
        let usual = Policy::default();
        (usual.preset(), usual.approvals(), usual.loops())
    });
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, part) in [
        ("preset = 'never'", "line 1, column 10"),
        ("[[rule]]\nthen = 'permit'", "line 2, column 8"),
        ("[[rule]]\nserver = 'a'", "missing field `then`"),
        ("[[rule]]\nthen = 'deny'\ntools = 'x'", "unknown field `tools`"),
        ("[[rule]]\nthen = 'deny'\nbeyond = '3/fortnight'", "is no rate"),
        ("[[rule]]\nthen = 'deny'\n[[rule.arguments]]\nat = 'x'\nis = 1", "JSON Pointer"),
        ("[[rule]]\nthen = 'deny'\n[[rule.arguments]]\nat = '/x'\nbelow = 'y'", "absolute path"),
        ("[[rule]]\nthen = 'deny'\n[[rule.arguments]]\nat = '/x'\nhost = 'a b'", "not a host"),
        ("[approvals]\ntimeout = 0", "at least a second"),
    ] {
        let broken = Policy::parse(text).unwrap_err().to_string();
        assert!(broken.contains(part), "{text:?}: {broken}");
    }
}

fn a_rule() -> impl Strategy<Value = String> {
    let verb = prop_oneof![Just("allow"), Just("ask"), Just("deny")];
    let pattern = prop_oneof![Just("*"), Just("a*"), Just("ab"), Just("b")];
    let value = prop_oneof![Just("'/p/x'"), Just("1"), Just("true")];
    (verb, pattern.clone(), pattern, proptest::option::of(value)).prop_map(|(verb, server, tool, value)| {
        let condition = value.map(|value| format!("[[rule.arguments]]\nat = '/v'\nis = {value}\n"));
        let condition = condition.unwrap_or_default();
        format!("[[rule]]\nthen = '{verb}'\nserver = '{server}'\ntool = '{tool}'\n{condition}")
    })
}

proptest! {
    /// No order of the rules, and no rule beside it, lets a denied call through.
    #[test]
    fn a_denied_call_stays_denied(
        rules in vec(a_rule(), 0..8),
        more in vec(a_rule(), 0..4),
        order in any::<u64>(),
        read_only: bool,
        value in prop_oneof![Just(json!("/p/x")), Just(json!(1)), Just(json!(null))],
    ) {
        let verb = |rules: &[String]| {
            let policy = Policy::parse(&rules.concat()).unwrap();
            decide(&policy, &mut Counting::default(), &("ab", "a", "c", read_only, json!({"v": value}))).verb
        };
        let before = verb(&rules);
        let mut turned = rules.clone();
        if !turned.is_empty() {
            let by = order as usize % turned.len();
            turned.rotate_left(by);
            if order.is_multiple_of(2) {
                turned.reverse();
            }
        }
        prop_assert_eq!(verb(&turned), before);
        // Where a rule decides, another can only make it stricter.
        if !rules.is_empty() && before == Verb::Deny {
            prop_assert_eq!(verb(&[turned, more].concat()), Verb::Deny);
        }
    }

    /// Whatever the file says, it is read or refused, and what is refused is nobody's policy.
    #[test]
    fn any_text_is_policy_or_is_refused(text in "\\PC{0,200}") {
        drop(Policy::parse(&text));
    }

    /// Two readings of arguments that differ never pass for one.
    #[test]
    fn arguments_are_read_as_everybody_reads_them(json in "[\\[\\]{}\":,a-c0-9]{0,30}") {
        if let Ok(raw) = serde_json::value::RawValue::from_string(json.clone())
            && let Ok(read) = Arguments::read(Some(&raw))
        {
            prop_assert_eq!(read.value(), &serde_json::from_str::<Value>(&json).unwrap());
        }
    }
}
