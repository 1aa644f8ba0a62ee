//! Labels given to an image while it is made, as the engines' API wants them.

use std::collections::BTreeMap;

use bollard::Docker;

use crate::engine::EngineKind;

/// Labels as lines of a Dockerfile. Docker wants values quoted and reads escapes in them; Podman takes off the
/// quotes, and the rest as it is.
pub(super) fn label_lines(labels: &BTreeMap<String, String>, kind: EngineKind) -> Vec<String> {
    let line = |(key, value): (&String, &String)| {
        let mut line = format!("LABEL {key}=\"");
        for part in value.chars().filter(|part| !part.is_control()) {
            if kind == EngineKind::Docker && matches!(part, '"' | '\\' | '$') {
                line.push('\\');
            }
            line.push(part);
        }
        line.push('"');
        line
    };
    labels.iter().map(line).collect()
}

/// A client whose requests name each line of `changes` by itself: bollard joins them to one, of which Podman
/// makes one label.
pub(super) fn one_change_each(docker: &Docker) -> Docker {
    docker.clone().with_request_modifier(|mut request| {
        let uri = request.uri().clone();
        let Some((path, query)) =
            uri.path_and_query().and_then(|whole| whole.query().map(|q| (whole.path(), q)))
        else {
            return request;
        };
        let split: Vec<_> = query
            .split('&')
            .filter(|field| *field != "changes=")
            .map(|field| match field.strip_prefix("changes=") {
                Some(lines) => format!("changes={}", lines.replace("%0A", "&changes=")),
                None => field.to_owned(),
            })
            .collect();
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = format!("{path}?{}", split.join("&")).parse().ok();
        if let Ok(uri) = parts.try_into() {
            *request.uri_mut() = uri;
        }
        request
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out_of_their_line() {
        let labels = BTreeMap::from([("a".to_owned(), "x\" b\nUSER root $HOME \\".to_owned())]);
        assert_eq!(label_lines(&labels, EngineKind::Docker), [r#"LABEL a="x\" bUSER root \$HOME \\""#]);
        assert_eq!(label_lines(&labels, EngineKind::Podman), [r#"LABEL a="x" bUSER root $HOME \""#]);
    }
}
