use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::{Path, PathBuf},
    process,
};

use caisson_wire::Command;
use rustix::fs::{Access, access};

/// Why a command cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("the command is empty")]
    Empty,
    #[error(
        "the program, an argument, a variable or the folder holds a NUL byte, or a variable's name is odd"
    )]
    Odd,
    #[error("there is no program \"{}\" in PATH ({})", .program.escape_debug(), .path.escape_debug())]
    NotInPath { program: String, path: String },
    #[error("the program \"{}\" cannot be run: {error}", .program.escape_debug())]
    CannotRun { program: String, error: std::io::Error },
    #[error("the folder \"{}\" cannot be worked in: {error}", .folder.escape_debug())]
    Folder { folder: String, error: std::io::Error },
}

/// The command as the standard library runs it, with the environment it was given and nothing else.
pub(crate) fn prepare(command: &Command) -> Result<process::Command, ProgramError> {
    let [program, arguments @ ..] = command.argv.as_slice() else { return Err(ProgramError::Empty) };
    let odd_name = |name: &String| name.is_empty() || name.contains(['=', '\0']);
    if command.argv.iter().chain(&command.cwd).any(|text| text.contains('\0'))
        || command.env.iter().any(|(name, value)| odd_name(name) || value.expose().contains(&0))
    {
        return Err(ProgramError::Odd);
    }
    if let Some(folder) = &command.cwd {
        let fault = |error| ProgramError::Folder { folder: folder.clone(), error };
        access(folder.as_str(), Access::EXEC_OK).map_err(|error| fault(error.into()))?;
        if !Path::new(folder).is_dir() {
            return Err(fault(std::io::ErrorKind::NotADirectory.into()));
        }
    }
    let mut prepared = process::Command::new(find(program, command)?);
    prepared.arg0(program).args(arguments).env_clear();
    prepared.envs(command.env.iter().map(|(name, value)| (name, OsStr::from_bytes(value.expose()))));
    if let Some(folder) = &command.cwd {
        prepared.current_dir(folder);
    }
    Ok(prepared)
}

/// Looks the program up in `PATH` of the command's own environment, not the airlock's.
fn find(program: &str, command: &Command) -> Result<PathBuf, ProgramError> {
    if program.contains('/') {
        let folder = Path::new(command.cwd.as_deref().unwrap_or("."));
        let path = folder.join(program);
        let fault = |error| ProgramError::CannotRun { program: program.to_owned(), error };
        access(&path, Access::EXEC_OK).map_err(|error| fault(error.into()))?;
        return if path.is_file() { Ok(path) } else { Err(fault(std::io::ErrorKind::IsADirectory.into())) };
    }
    let path = command.env.get("PATH").map(|path| String::from_utf8_lossy(path.expose()).into_owned());
    let path = path.unwrap_or_default();
    path.split(':')
        .filter(|folder| folder.starts_with('/') && !program.is_empty())
        .map(|folder| Path::new(folder).join(program))
        .find(|candidate| candidate.is_file() && access(candidate, Access::EXEC_OK).is_ok())
        .ok_or_else(|| ProgramError::NotInPath { program: program.to_owned(), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(argv: &[&str], env: &[(&str, &str)], cwd: Option<&str>) -> Command {
        Command {
            argv: argv.iter().map(ToString::to_string).collect(),
            env: env.iter().map(|(name, value)| (name.to_string(), (*value).into())).collect(),
            cwd: cwd.map(str::to_owned),
        }
    }

    #[test]
    fn the_program_is_found_in_the_path_it_was_given() {
        let found = |command: &Command| prepare(command).map(|found| PathBuf::from(found.get_program()));
        assert_eq!(
            found(&command(&["sh"], &[("PATH", "/nowhere:/bin")], None)).unwrap(),
            Path::new("/bin/sh")
        );
        assert_eq!(found(&command(&["bin/sh"], &[], Some("/"))).unwrap(), Path::new("/bin/sh"));
        for (bad, why) in [
            (command(&[], &[], None), "empty"),
            (command(&["sh"], &[("PATH", "/nowhere:bin:")], None), "no program \"sh\" in PATH"),
            (command(&["sh"], &[], None), "no program"),
            (command(&[""], &[("PATH", "/bin")], None), "no program"),
            (command(&["/etc/passwd"], &[], None), "cannot be run"),
            (command(&["/bin"], &[], None), "cannot be run"),
            (command(&["/bin/sh\0"], &[], None), "NUL"),
            (command(&["/bin/sh"], &[("A=B", "")], None), "odd"),
            (command(&["/bin/sh"], &[], Some("/nowhere")), "folder \"/nowhere\""),
            (command(&["/bin/sh"], &[], Some("/etc/passwd")), "folder"),
            (command(&["\x1b[2J"], &[], None), "\\u{1b}"),
        ] {
            let error = prepare(&bad).unwrap_err().to_string();
            assert!(error.contains(why), "{error} lacks {why}");
        }
    }

    #[test]
    fn nothing_is_inherited() {
        let mut env = prepare(&command(&["env"], &[("PATH", "/usr/bin:/bin"), ("A", "1")], None)).unwrap();
        let output = env.output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "A=1\nPATH=/usr/bin:/bin\n");
    }
}
