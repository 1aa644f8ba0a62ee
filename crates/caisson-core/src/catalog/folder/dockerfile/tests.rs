use super::*;

fn images(text: &str) -> Vec<String> {
    Dockerfile::read(text).unwrap_or_else(|error| panic!("{text:?}: {error}")).images
}

#[test]
fn what_people_write_is_built() {
    for (text, built_from) in [
        (
            "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD [\"node\", \"index.js\"]\n",
            &["node:22-slim"][..],
        ),
        (
            "# syntax=docker/dockerfile:1\nARG VERSION=3.12\nARG FULL=\"python:${VERSION}\"\nFROM --platform=$BUILDPLATFORM ${FULL}-slim AS build\nRUN pip install x\n\
             FROM gcr.io/distroless/python3@sha256:00\nCOPY --from=build --chown=1:1 /a /b\nCOPY --from=0 /a /c\nENTRYPOINT [\"/a\"]\n",
            &["python:3.12-slim", "gcr.io/distroless/python3@sha256:00"],
        ),
        (
            "from scratch\nadd --chown=1:1 files.tar.gz /\nCOPY --from=localhost:5000/tools:1 /x /x\n",
            &["localhost:5000/tools:1"],
        ),
        (
            "FROM ${BASE:-debian:12}\nRUN apt-get update && \\\n    # what it needs\n\n    apt-get install -y curl && \\\n\\\n  echo \"a: $b\" >> /x\n",
            &["debian:12"],
        ),
        (
            "FROM debian\nRUN echo 'from dir:/etc import x' && wc -c <<< word\nADD [\"a b\", \"/c\"]\nONBUILD COPY x /x\n",
            &["debian"],
        ),
    ] {
        assert_eq!(images(text), built_from, "{text}");
    }
}

#[test]
fn what_the_engine_would_do_on_this_machine_is_refused() {
    for (text, line, why) in [
        ("FROM a\nADD http://127.0.0.1/x /x\n", 2, REMOTE),
        ("FROM a\nadd\thttps://169.254.169.254/latest /x\n", 2, REMOTE),
        ("FROM a\nADD --checksum=sha256:0 git@host:x /x\n", 2, REMOTE),
        ("FROM a\nARG A=http\nADD ${A}://h/x /x\n", 3, REMOTE),
        ("FROM a\nENV U=http://h/x\nADD $U /x\n", 3, REMOTE),
        ("FROM a\nADD [\"http:\\u002f\\u002fh/x\", \"/x\"]\n", 2, REMOTE),
        ("FROM a\nADD htt\"p\":'//h/x' /x\n", 2, REMOTE),
        ("FROM a\nAD\\\nD http\\\n://h/x /x\n", 2, REMOTE),
        ("FROM a\nONBUILD ADD http://h/x /x\nFROM a\n", 2, REMOTE),
        ("FROM a\nRUN --mount=type=bind,source=link,target=/m cat /m/x\n", 2, FLAG),
        ("FROM a\nRUN \\\n  --network=host id\n", 2, FLAG),
        ("FROM a\nRUN --security=insecure id\n", 2, FLAG),
        ("FROM a\nCOPY --fr\\om=dir:/etc x /x\n", 2, FLAG),
        ("FROM a\nCOPY --from=\"dir:/etc\" x /x\n", 2, FLAG),
        ("FROM a\nCOPY --from=docker-archive:x.tar x /x\n", 2, PLACE),
        ("FROM dir:/home/ada/image\n", 1, PLACE),
        ("ARG T=oci-archive\nFROM $T:x.tar\n", 2, PLACE),
        ("FROM /var/lib/image\n", 1, PLACE),
        ("FROM http://h/x.tar\n", 1, PLACE),
        ("FROM ../x\n", 1, PLACE),
        ("FROM $UNKNOWN\n", 1, UNRESOLVED),
        ("FROM ${A#x}\n", 1, UNRESOLVED),
        ("FROM a\nRUN <<EOF\nid\nEOF\n", 2, HEREDOC),
        ("FROM a\nCOPY <<-\"E\\\" /x\nE\\\nADD http://h/x /x\n", 2, HEREDOC),
        ("FROM a\nINCLUDE x\n", 2, UNKNOWN),
    ] {
        let refused = Dockerfile::read(text).expect_err(text);
        assert_eq!(refused, Refused { line, why }, "{text}");
    }
    let told = Dockerfile::read("# escape=`\nFROM a\nRUN id `\nADD http://h/x /x\n").unwrap_err();
    assert_eq!(told.line, 1);
}

/// Where engines differ over what goes on, an instruction cannot hide in another.
#[test]
fn nothing_hides_between_two_readings() {
    for text in [
        "FROM a\nRUN x \\\n  # y\nADD http://h/x /x\n",
        "FROM a\nRUN x \\\n\nADD http://h/x /x\n",
        "FROM a\nRUN x \\\\\nADD http://h/x /x\n",
        "FROM a\nRUN x \\\n  # y\nAD\\\nD http://h/x /x\n",
        "\u{feff}FROM a\r\nRUN x \\\r\n  # y\r\nRUN --mount=type=bind,source=l,target=/m id\r\n",
    ] {
        let refused = Dockerfile::read(text).expect_err(text);
        assert!(matches!(refused.why, REMOTE | FLAG), "{text}: {refused}");
    }
}

#[test]
fn what_an_image_makes_its_heirs_do_is_checked() {
    assert_eq!(check_trigger("COPY . /app"), Ok(()));
    assert_eq!(check_trigger("RUN npm ci"), Ok(()));
    assert_eq!(check_trigger("ADD http://127.0.0.1/x /x"), Err(REMOTE));
    assert_eq!(check_trigger("RUN --mount=type=bind,source=l,target=/m id"), Err(FLAG));
}
