use super::refusal::Refusal;

/// So deep arrays and objects may lie in one another. Servers' own readers give up at a hundred to a thousand,
/// not all of them with an answer.
const DEEPEST: usize = 256;

/// Whether a message is nested no deeper than every reader on its way can follow.
pub(super) fn check(message: &[u8]) -> Result<(), Refusal> {
    // Each level takes two bytes.
    if message.len() <= 2 * DEEPEST {
        return Ok(());
    }
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in message {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => depth += 1,
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(Refusal::TooDeep(DEEPEST));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(nested(DEEPEST).as_bytes()).is_ok());
        assert!(check(nested(DEEPEST + 1).as_bytes()).is_err());
        assert!(check("[".repeat(100_000).as_bytes()).is_err());
        let text = format!("\"{}\\\"{}\"", "[".repeat(1000), "{".repeat(1000));
        assert!(check(text.as_bytes()).is_ok());
        assert!(check(format!("[{text},{}]", nested(DEEPEST)).as_bytes()).is_err());
        assert!(check("[]".repeat(10_000).as_bytes()).is_ok());
    }
}
