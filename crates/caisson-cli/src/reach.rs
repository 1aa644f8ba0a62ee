//! Reaches the process that owns the state; starts the daemon when there is none.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use caisson_core::{
    control::{ControlClient, api::Request},
    host::Paths,
};

use crate::{exit, failure::Failure, surroundings};

/// So long a daemon may take until it answers.
const PATIENCE: Duration = Duration::from_secs(15);
/// A log larger than this is set aside when a daemon starts.
const LARGEST_LOG: u64 = 4 << 20;
/// So much of the log's end an error shows.
const TAIL: u64 = 2 << 10;

/// Makes one request, and starts the daemon first when none runs.
pub(crate) async fn call<R: Request>(params: &R) -> Result<R::Reply, Failure> {
    Ok(client().await?.call(params).await?)
}

/// A connection to the daemon, which is started when none runs.
pub(crate) async fn client() -> Result<ControlClient, Failure> {
    let paths = surroundings::paths()?;
    connected(&paths, async || ControlClient::connect(&paths.socket).await).await
}

/// A connection to the daemon, when one runs.
pub(crate) async fn running() -> Result<Option<ControlClient>, Failure> {
    let paths = surroundings::paths()?;
    match ControlClient::connect(&paths.socket).await {
        Ok(client) => Ok(Some(client)),
        Err(error) if nobody_there(&error) => Ok(None),
        Err(error) => Err(refused(&paths, &error)),
    }
}

/// Connects by `connect`; where nobody answers, starts the daemon and tries again until it does.
pub(crate) async fn connected<T>(
    paths: &Paths,
    connect: impl AsyncFn() -> io::Result<T>,
) -> Result<T, Failure> {
    match connect().await {
        Ok(connection) => return Ok(connection),
        Err(error) if nobody_there(&error) => {}
        Err(error) => return Err(refused(paths, &error)),
    }
    let (daemon, log_began) = start(paths)?;
    let mut daemon = Some(daemon);
    let mut deadline = Instant::now() + PATIENCE;
    let mut ended = None;
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        match connect().await {
            Ok(connection) => return Ok(connection),
            Err(error) if nobody_there(&error) => {}
            Err(error) => return Err(refused(paths, &error)),
        }
        if let Some(Ok(Some(status))) = daemon.as_mut().map(Child::try_wait) {
            // It ends at once when another one won the race for the lock: that one answers in a moment.
            daemon = None;
            ended = Some(status);
            deadline = deadline.min(Instant::now() + Duration::from_secs(2));
        }
        if Instant::now() >= deadline {
            let how = ended.map_or_else(
                || format!("it did not answer within {} s", PATIENCE.as_secs()),
                |status| format!("it ended with {status}"),
            );
            return Err(Failure::new(exit::DAEMON, "the Caisson daemon could not be started")
                .why(format!("{how}. Its last words:\n{}", last_words(paths, log_began)))
                .fix(format!(
                    "`caisson daemon` runs it here and shows what is wrong; its log is {}",
                    paths.daemon_log().display()
                )));
        }
    }
}

fn nobody_there(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

fn refused(paths: &Paths, error: &io::Error) -> Failure {
    Failure::new(exit::DAEMON, "the running Caisson does not answer")
        .why(format!("{}: {error}", paths.socket.display()))
        .fix("check that this socket belongs to you, or stop the process that holds it")
}

/// Starts `caisson daemon` in the background; it writes to a log, from the place that is returned.
fn start(paths: &Paths) -> Result<(Child, u64), Failure> {
    let failed = |error: io::Error| {
        Failure::new(exit::DAEMON, "the Caisson daemon could not be started").why(error.to_string())
    };
    let program = std::env::current_exe().map_err(failed)?;
    let log = log_file(paths).map_err(|error| {
        failed(error).fix(format!("make {} writable, or set CAISSON_HOME", paths.data.display()))
    })?;
    let began = log.metadata().map_err(failed)?.len();
    let err = log.try_clone().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["daemon", "--background"]).stdin(Stdio::null()).stdout(log).stderr(err);
    // Not the folder of whoever was first: it may be one that is to be unmounted.
    command.current_dir(&paths.data);
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt as _;
        const DETACHED_PROCESS: u32 = 0x8;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
    }
    Ok((command.spawn().map_err(failed)?, began))
}

fn log_file(paths: &Paths) -> io::Result<File> {
    private_folder(&paths.data)?;
    let path = paths.daemon_log();
    if fs::metadata(&path).is_ok_and(|found| found.len() > LARGEST_LOG) {
        fs::rename(&path, path.with_extension("log.old"))?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn private_folder(folder: &std::path::Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// The end of what a daemon wrote to its log since it began.
fn last_words(paths: &Paths, began: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(paths.daemon_log())?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL).max(began)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(the log cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
