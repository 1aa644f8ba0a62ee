//! Arguments as a person reads them.

use serde_json::Value;

use crate::model::visible;

/// The most that is shown, in bytes.
const MOST: usize = 16 << 10;

/// JSON over several lines, with hidden characters made visible. What is too long to be read is cut in the middle: its
/// end is where something may hide.
pub(in crate::gate) fn arguments(arguments: &Value) -> String {
    // A value of JSON can always be written.
    let text = visible(&serde_json::to_string_pretty(arguments).unwrap_or_default());
    if text.len() <= MOST {
        return text;
    }
    let half = MOST / 2;
    let head = text.floor_char_boundary(half);
    let tail = text.ceil_char_boundary(text.len() - half);
    format!("{}\n… {} bytes are not shown …\n{}", &text[..head], tail - head, &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_hides() {
        let shown =
            arguments(&json!({"path": "a\u{202e}txt.exe", "tag": "x\u{e0041}", "line": "a\nb\u{1b}[2J"}));
        assert!(shown.contains("a\\u{202e}txt.exe") && shown.contains("x\\u{e0041}"), "{shown}");
        assert!(shown.contains("\"a\\nb\\u001b[2J\""), "{shown}");
        let long = arguments(&json!({"a": "é".repeat(20_000), "z": "the end"}));
        assert!(long.len() < MOST + 100 && long.contains("are not shown") && long.contains("the end"));
    }
}
