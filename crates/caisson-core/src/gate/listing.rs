//! A list of tools as a token sees it: without those it is not for. A call of one of them is refused in any case; a model
//! that is not told of them does not try, and learns nothing of what else there is.

use bytes::Bytes;

use super::{Denial, ToolScope};
use crate::model::{Envelope, EnvelopeKind, Splice, Stated, Statement, is_mistakable};

/// What of a message may reach a client whose token is for `tools`, in which a server answers with `statement`.
///
/// # Errors
/// When what it says cannot be read.
pub(super) fn narrowed(message: Bytes, statement: Statement, tools: &ToolScope) -> Result<Bytes, Denial> {
    if statement != Statement::Tools || *tools == ToolScope::All {
        return Ok(message);
    }
    let Ok((Envelope { result: Some(result), .. }, EnvelopeKind::Response)) = Envelope::read(&message) else {
        return Ok(message);
    };
    let unclear = || Denial::Unreviewed { why: "it cannot be read".to_owned() };
    let all = statement.read(result).ok_or_else(unclear)?;
    // One that two readers may know by two names is shown under neither.
    let may_see = |tool: &&Stated<'_>| tools.has(&tool.name) && !is_mistakable(tool.said, "name");
    let seen: Vec<&str> = all.iter().filter(may_see).map(|tool| tool.said.get()).collect();
    if seen.len() == all.len() {
        return Ok(message);
    }
    let rest = format!("[{}]", seen.join(","));
    let mut splice = Splice::of(&message).ok_or_else(unclear)?;
    splice.set(&["result", statement.member()], &rest);
    Ok(splice.done().into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_token_sees_its_tools() {
        let echo = ToolScope::Only(BTreeSet::from(["echo".to_owned()]));
        let answer = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        let seen = |message: &str, tools: &ToolScope, statement| {
            narrowed(Bytes::from(message.to_owned()), statement, tools)
                .map(|message| String::from_utf8(message.into()).unwrap())
        };
        for (result, expected) in [
            // All else of the answer stays as it came, its place among pages too.
            (
                r#"{"x":1.0,"tools":[{"name":"a"},{"name":"echo", "new":1e3}],"nextCursor":"2"}"#,
                r#"{"x":1.0,"tools":[{"name":"echo", "new":1e3}],"nextCursor":"2"}"#,
            ),
            (r#"{"tools":[{"name":"a"}],"nextCursor":"2"}"#, r#"{"tools":[],"nextCursor":"2"}"#),
            (r#"{"tools":[{"n\u0061me":"\u0065cho"}]}"#, r#"{"tools":[{"n\u0061me":"\u0065cho"}]}"#),
            (r#"{"tools":[{"name":"Echo"},{"title":"echo"},{"name":["echo"]}]}"#, r#"{"tools":[]}"#),
            (r#"{"tools":[{"name":"secret","name":"echo"}]}"#, r#"{"tools":[]}"#),
            (r#"{"tools":[{"Name":"secret","name":"echo"}]}"#, r#"{"tools":[]}"#),
            (r#"{"other":[]}"#, r#"{"other":[]}"#),
        ] {
            let (message, expected) = (answer(result), answer(expected));
            assert_eq!(seen(&message, &echo, Statement::Tools), Ok(expected), "{result}");
            assert_eq!(seen(&message, &ToolScope::All, Statement::Tools), Ok(message.clone()));
            assert_eq!(seen(&message, &echo, Statement::Prompts), Ok(message));
        }
        for unclear in [r#"{"tools":{}}"#, r#"{"tools":[],"Tools":[{"name":"a"}]}"#, "[]"] {
            let seen = seen(&answer(unclear), &echo, Statement::Tools);
            assert!(matches!(seen, Err(Denial::Unreviewed { .. })), "{unclear}: {seen:?}");
        }
        let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}"#;
        assert_eq!(seen(error, &echo, Statement::Tools).as_deref(), Ok(error));
    }
}
